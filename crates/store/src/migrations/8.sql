-- An order to stop a run is kept too. SQLite cannot change a check, so the table is made anew.
CREATE TABLE orders_with_stops (
    num INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    act TEXT NOT NULL CHECK (act IN ('apply', 'undo', 'resume', 'stop')),
    person TEXT NOT NULL,
    plan TEXT NOT NULL
) STRICT;

INSERT INTO orders_with_stops SELECT num, run, at_ms, act, person, plan FROM orders;

DROP TABLE orders;

ALTER TABLE orders_with_stops RENAME TO orders;

CREATE INDEX orders_of_run ON orders (run, num);

CREATE TRIGGER orders_are_not_changed BEFORE UPDATE ON orders BEGIN
    SELECT RAISE (ABORT, 'orders are append-only');
END;

CREATE TRIGGER orders_are_not_taken_back BEFORE DELETE ON orders BEGIN
    SELECT RAISE (ABORT, 'orders are append-only');
END;
