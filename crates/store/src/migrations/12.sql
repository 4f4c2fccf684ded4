-- Of which shared store this database is a copy, and up to which of its entries; no row where it is none. This table is of the copy
-- alone and is not shared.
CREATE TABLE copy_of (
    store TEXT NOT NULL PRIMARY KEY,
    place TEXT NOT NULL,
    number INTEGER NOT NULL,
    -- What tells this history from another one of that length.
    chain TEXT NOT NULL
) STRICT;
