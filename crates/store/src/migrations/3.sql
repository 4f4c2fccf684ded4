-- Who ordered what of a run, in a console where several people sign in. Written before the run is touched, so that an order
-- may stand here of which nothing came. Rows are only ever added.
CREATE TABLE orders (
    num INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    act TEXT NOT NULL CHECK (act IN ('apply', 'undo', 'resume')),
    person TEXT NOT NULL,
    plan TEXT NOT NULL
) STRICT;

CREATE INDEX orders_of_run ON orders (run, num);

CREATE TRIGGER orders_are_not_changed BEFORE UPDATE ON orders BEGIN
    SELECT RAISE (ABORT, 'orders are append-only');
END;

CREATE TRIGGER orders_are_not_taken_back BEFORE DELETE ON orders BEGIN
    SELECT RAISE (ABORT, 'orders are append-only');
END;
