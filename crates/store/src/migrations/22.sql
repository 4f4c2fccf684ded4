-- Whom the console that was started last with several approvals names in --link, under the name as names are compared, and whether
-- approvals of that person count. The empty name stands for everyone else, for whom a proxy may vouch.
CREATE TABLE listed_roles (
    person TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    may_approve INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
