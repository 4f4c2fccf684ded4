-- What an audit exchanged with the listeners of a server, where that was asked for: an endpoint of `hostssl/probe/v1` a line, compressed.
CREATE TABLE audit_transcripts (
    audit INTEGER NOT NULL REFERENCES audits (num),
    server INTEGER NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (audit, server)
) STRICT, WITHOUT ROWID;
