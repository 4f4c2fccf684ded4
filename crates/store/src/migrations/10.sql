-- Machines in zones that probe by themselves. A prober is known by its key; of the secret that it enrolled with, and of every
-- secret that was given out, only the hash is kept.
CREATE TABLE probers (
    id TEXT PRIMARY KEY,
    zone TEXT NOT NULL,
    key_sha256 TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL,
    enrolled_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    revoked_ms INTEGER,
    violations INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE join_secrets (
    sha256 TEXT PRIMARY KEY,
    zone TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms INTEGER
) STRICT;

-- What each prober was asked to probe: an answer to anything else is not believed.
CREATE TABLE prober_targets (
    prober TEXT NOT NULL REFERENCES probers (id),
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    asked_ms INTEGER NOT NULL,
    answered_ms INTEGER,
    -- Why there is no look; empty where there is one.
    missing TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (prober, host, port)
) STRICT, WITHOUT ROWID;

-- Of each address the newest look of each weight: one that decides nothing replaces none that does.
CREATE TABLE prober_looks (
    prober TEXT NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    address TEXT NOT NULL,
    weight INTEGER NOT NULL,
    taken_ms INTEGER NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (prober, host, port, address, weight)
) STRICT, WITHOUT ROWID;

-- What was refused: by whom, where that is known, and why.
CREATE TABLE prober_refusals (
    num INTEGER PRIMARY KEY,
    prober TEXT,
    at_ms INTEGER NOT NULL,
    why TEXT NOT NULL
) STRICT;
