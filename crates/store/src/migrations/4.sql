-- Probes that were kept. `asked` says in JSON with which names; `finished_ms` is empty while one runs, and for ever when it
-- was killed.
CREATE TABLE probes (
    num INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    started_ms INTEGER NOT NULL,
    finished_ms INTEGER,
    tool_version TEXT NOT NULL,
    asked TEXT NOT NULL,
    complete INTEGER NOT NULL,
    pass INTEGER NOT NULL,
    fail INTEGER NOT NULL,
    unknown INTEGER NOT NULL
) STRICT;

CREATE INDEX probes_by_time ON probes (started_ms, num);

-- The endpoints in the order in which they were done, each as its report in JSON, compressed by zlib.
CREATE TABLE probe_endpoints (
    probe INTEGER NOT NULL REFERENCES probes (num),
    seq INTEGER NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (probe, seq)
) STRICT, WITHOUT ROWID;
