-- What became of approvals of plans: each withdrawal, and each approval that was given again after one. Rows are only ever added.
CREATE TABLE approval_changes (
    num INTEGER PRIMARY KEY,
    plan TEXT NOT NULL,
    person TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    -- 0 for a withdrawal, 1 for an approval.
    approves INTEGER NOT NULL
) STRICT;

CREATE INDEX approval_changes_by_plan ON approval_changes (plan, num);

CREATE TRIGGER approval_changes_are_not_changed BEFORE UPDATE ON approval_changes BEGIN
    SELECT RAISE (ABORT, 'approvals are append-only');
END;

CREATE TRIGGER approval_changes_are_not_removed BEFORE DELETE ON approval_changes BEGIN
    SELECT RAISE (ABORT, 'approvals are append-only');
END;
