-- Plans that were made in a console and wait to be applied, so that every console of this state shows them.
CREATE TABLE kept_plans (
    id TEXT NOT NULL PRIMARY KEY,
    made_at_ms INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    hash TEXT NOT NULL,
    -- What a list shows of it: its effect in words, how many values it writes, and when its servers were read.
    title TEXT NOT NULL,
    writes INTEGER NOT NULL,
    observed_at_ms INTEGER NOT NULL,
    -- How many people had to approve it where it was made.
    approvals INTEGER NOT NULL,
    plan TEXT NOT NULL,
    -- What its review rests on, in the console's own form.
    review TEXT NOT NULL
) STRICT;

CREATE INDEX kept_plans_by_age ON kept_plans (made_at_ms);

-- Who approved the plan of a hash. Rows are only ever added.
CREATE TABLE plan_approvals (
    plan TEXT NOT NULL,
    person TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (plan, person)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER plan_approvals_are_not_changed BEFORE UPDATE ON plan_approvals BEGIN
    SELECT RAISE (ABORT, 'approvals are append-only');
END;

CREATE TRIGGER plan_approvals_are_not_removed BEFORE DELETE ON plan_approvals BEGIN
    SELECT RAISE (ABORT, 'approvals are append-only');
END;

CREATE INDEX orders_of_plan ON orders (plan, num);

-- Who is signed in to a console by a link, under the SHA-256 of what the browser has: nobody can sign in with what is here.
CREATE TABLE sessions (
    secret TEXT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    person TEXT,
    role TEXT NOT NULL,
    began_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Links that sign in once, under the SHA-256 of their token.
CREATE TABLE sign_in_links (
    token TEXT NOT NULL PRIMARY KEY,
    person TEXT,
    role TEXT NOT NULL,
    -- The session that made it; none made those of the terminal.
    maker TEXT,
    made_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
