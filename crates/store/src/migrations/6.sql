-- The clients of each server, as every look so far has found them: a document, compressed by zlib, that grows with every look.
-- The columns are what it said of the usual window when it was merged last, for lists that read no documents.
CREATE TABLE census (
    key TEXT NOT NULL PRIMARY KEY,
    server TEXT NOT NULL,
    looked_ms INTEGER NOT NULL,
    -- The end of what was observed; empty when nothing was.
    until_ms INTEGER,
    -- 0: clients break; 1: it takes more observation; 2: safe, unless that is too long ago.
    verdict INTEGER NOT NULL,
    reason TEXT NOT NULL,
    plaintext INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    tls INTEGER NOT NULL,
    local INTEGER NOT NULL,
    document BLOB NOT NULL
) STRICT, WITHOUT ROWID;
