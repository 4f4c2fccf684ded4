-- Which audit a receiver of a watch was told of last: it continues there, whatever other audits were kept since. A receiver of
-- audits that are asked for otherwise stands apart. A row stays when its audit is deleted, so that it is known that something
-- can no longer be told.
CREATE TABLE told_audits (
    receiver TEXT NOT NULL,
    asked TEXT NOT NULL,
    audit TEXT NOT NULL,
    PRIMARY KEY (receiver, asked)
) STRICT, WITHOUT ROWID;
