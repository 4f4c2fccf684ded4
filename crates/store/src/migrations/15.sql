-- How far the audits and plans are that consoles work on now, so that the other consoles of this state show it. A row goes when the work
-- ends; that of a console that was killed stays until it is old.
CREATE TABLE work_in_progress (
    -- The id of the audit or of the plan.
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    console TEXT NOT NULL,
    person TEXT NOT NULL,
    began_at_ms INTEGER NOT NULL,
    -- When its console wrote this.
    heard_at_ms INTEGER NOT NULL,
    looked INTEGER NOT NULL,
    found INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
