-- Plans as they were approved: the file form, under its hash.
CREATE TABLE plans (
    hash TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Runs. The phase follows the journal, so that a list of runs need not replay them.
CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    plan TEXT NOT NULL REFERENCES plans (hash),
    steps INTEGER NOT NULL,
    principal TEXT NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('applying', 'finished', 'undoing', 'undo-finished'))
) STRICT, WITHOUT ROWID;

CREATE INDEX unfinished_runs ON runs (id) WHERE phase IN ('applying', 'undoing');

-- What happened, in order. Rows are only ever added.
CREATE TABLE journal (
    run TEXT NOT NULL REFERENCES runs (id),
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal BEGIN
    SELECT RAISE (ABORT, 'the journal is append-only');
END;

CREATE TRIGGER journal_is_not_shortened BEFORE DELETE ON journal BEGIN
    SELECT RAISE (ABORT, 'the journal is append-only');
END;

-- The proof of each write that was, or may have been, accepted: under the number of its intent in the journal.
CREATE TABLE receipts (
    run TEXT NOT NULL REFERENCES runs (id),
    step INTEGER NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('apply', 'undo')),
    seq INTEGER NOT NULL,
    intended_at_ms INTEGER NOT NULL,
    value_before TEXT NOT NULL,
    request_id TEXT,
    accepted_at_ms INTEGER,
    value_after TEXT,
    observed_at_ms INTEGER,
    PRIMARY KEY (run, step, direction, seq)
) STRICT, WITHOUT ROWID;
