-- The present: of each server the newest look, and the evidence of each kind that stands beside it (model::CurrentState).
-- The columns are those of `observations`, so that lists of the present and of an audit are one query.
CREATE TABLE current (
    server INTEGER PRIMARY KEY,
    audit INTEGER NOT NULL,
    facts INTEGER NOT NULL,
    judgement INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    enforcement INTEGER NOT NULL,
    tls TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    wire TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    -- Where the server stands, from 0 for proven to 5 for declared on and accepting plaintext.
    standing INTEGER NOT NULL,
    -- The settings that wait for a restart, separated by commas.
    pending TEXT NOT NULL,
    -- The controls that fail, separated by commas.
    failing TEXT NOT NULL,
    -- When the audit that saw it last began.
    at_ms INTEGER NOT NULL,
    -- When the oldest evidence of its listeners that stands was gathered.
    probed_ms INTEGER,
    -- The first certificate of its listeners to expire, and the lowest TLS version that one of them accepted, in Azure's words.
    expires_ms INTEGER,
    accepts TEXT NOT NULL,
    -- The newest change by a run of ours, if it is newer than that audit.
    changed_ms INTEGER,
    changed_run TEXT
) STRICT;

-- The evidence, as JSON. Apart from the list, which never reads it.
CREATE TABLE evidence (
    server INTEGER PRIMARY KEY,
    document TEXT NOT NULL
) STRICT;

-- One row: a number that grows with every change of the present, and the newest read-back that was folded into it.
CREATE TABLE present (
    version INTEGER NOT NULL,
    changes_ms INTEGER NOT NULL
) STRICT;
INSERT INTO present VALUES (0, 0);

CREATE INDEX receipts_by_time ON receipts (observed_at_ms);

-- The same of each audit: where the server stood then, by all that was known then.
ALTER TABLE observations ADD COLUMN standing INTEGER NOT NULL DEFAULT 3;
ALTER TABLE observations ADD COLUMN pending TEXT NOT NULL DEFAULT '';
ALTER TABLE observations ADD COLUMN failing TEXT NOT NULL DEFAULT '';
-- How many servers stood where, as a JSON object; empty until it was counted.
ALTER TABLE audits ADD COLUMN standings TEXT NOT NULL DEFAULT '';
