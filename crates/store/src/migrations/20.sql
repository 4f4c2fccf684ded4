-- Whose approvals of its plan counted when a run began, where several people had to approve, in the order in which they were given. Rows
-- are only ever added.
CREATE TABLE run_approvals (
    run TEXT NOT NULL,
    place INTEGER NOT NULL,
    person TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER run_approvals_are_not_changed BEFORE UPDATE ON run_approvals BEGIN
    SELECT RAISE (ABORT, 'approvals are append-only');
END;

CREATE TRIGGER run_approvals_are_not_removed BEFORE DELETE ON run_approvals BEGIN
    SELECT RAISE (ABORT, 'approvals are append-only');
END;

-- What a proxy said last that a person may do, under the name as names are compared. It stays when the person signs out.
CREATE TABLE proxied_roles (
    person TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    may_approve INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When a session was used last, in any console, to a minute.
CREATE TABLE session_uses (
    id TEXT NOT NULL PRIMARY KEY,
    used_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
