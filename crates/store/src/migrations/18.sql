-- Which values that runs read back are in the present, and when they were read back: what is not here is new, whatever the clock said.
-- Those up to `changes_ms` of `present`, which earlier versions wrote, are in it too.
CREATE TABLE folded_receipts (
    run TEXT NOT NULL,
    step INTEGER NOT NULL,
    direction TEXT NOT NULL,
    seq INTEGER NOT NULL,
    observed_at_ms INTEGER NOT NULL,
    PRIMARY KEY (run, step, direction, seq)
) STRICT, WITHOUT ROWID;
