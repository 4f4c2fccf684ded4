-- How many people have to approve a plan of a console before it is applied, where that is more than one. Unlike the plan itself, this is
-- never removed. Rows are only ever added.
CREATE TABLE required_approvals (
    plan TEXT NOT NULL PRIMARY KEY,
    approvals INTEGER NOT NULL,
    made_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER required_approvals_are_not_changed BEFORE UPDATE ON required_approvals BEGIN
    SELECT RAISE (ABORT, 'required approvals are append-only');
END;

CREATE TRIGGER required_approvals_are_not_removed BEFORE DELETE ON required_approvals BEGIN
    SELECT RAISE (ABORT, 'required approvals are append-only');
END;
