-- Audits that were kept, newest last. `whole` says that nothing narrowed the scope, `stopped` that the run ended early.
CREATE TABLE audits (
    num INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    started_ms INTEGER NOT NULL,
    cloud TEXT NOT NULL,
    scope TEXT NOT NULL,
    profile TEXT NOT NULL,
    run TEXT NOT NULL,
    whole INTEGER NOT NULL,
    stopped INTEGER NOT NULL,
    subscriptions INTEGER NOT NULL,
    servers INTEGER NOT NULL,
    pass INTEGER NOT NULL,
    fail INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    enforced INTEGER NOT NULL,
    not_enforced INTEGER NOT NULL,
    unseen INTEGER NOT NULL
) STRICT;

CREATE INDEX audits_by_time ON audits (started_ms, num);

CREATE TABLE audit_subscriptions (
    audit INTEGER NOT NULL REFERENCES audits (num),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    tenant TEXT NOT NULL,
    state TEXT,
    PRIMARY KEY (audit, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_gaps (
    audit INTEGER NOT NULL REFERENCES audits (num),
    seq INTEGER NOT NULL,
    scope TEXT NOT NULL,
    reason TEXT NOT NULL,
    permission TEXT,
    detail TEXT NOT NULL,
    PRIMARY KEY (audit, seq)
) STRICT, WITHOUT ROWID;

-- Every server that was ever seen, under its id in lower case. `key` is its name in addresses.
CREATE TABLE servers (
    num INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL UNIQUE,
    spelled TEXT NOT NULL,
    name TEXT NOT NULL,
    resource_group TEXT NOT NULL,
    subscription TEXT NOT NULL,
    kind TEXT NOT NULL,
    location TEXT NOT NULL,
    last_audit INTEGER
) STRICT;

-- What was observed of a server, under its hash: the same facts in many audits are kept once.
CREATE TABLE facts (
    num INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    document TEXT NOT NULL
) STRICT;

-- What the controls said, under its hash.
CREATE TABLE judgements (
    num INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    document TEXT NOT NULL
) STRICT;

-- One server in one audit. Facts and judgement are apart, so that facts can be judged again. The columns behind them
-- are what lists filter and sort by. No foreign keys to facts and judgements: deleting one would scan this table.
CREATE TABLE observations (
    audit INTEGER NOT NULL REFERENCES audits (num),
    server INTEGER NOT NULL,
    facts INTEGER NOT NULL,
    judgement INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    enforcement INTEGER NOT NULL,
    tls TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- What its worst listener does; empty when nobody looked at the wire.
    wire TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (audit, server)
) STRICT, WITHOUT ROWID;
