CREATE SCHEMA IF NOT EXISTS hostssl;

-- One row: what this store is, of which version the tables are that its entries change, and the number of its last entry. Who wants to
-- append takes this row first.
CREATE TABLE hostssl.head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    store text NOT NULL,
    version bigint NOT NULL,
    last bigint NOT NULL,
    -- The chain of the last entry.
    chain text NOT NULL
);

-- The entries, without a gap.
CREATE TABLE hostssl.log (
    number bigint PRIMARY KEY,
    -- The SHA-256 of the chain before it and of its body: it tells an entry from another one of its number.
    chain text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    by text NOT NULL,
    body bytea NOT NULL
);
-- What is compressed is not compressed again.
ALTER TABLE hostssl.log ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE FUNCTION hostssl.log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log of hostssl is append-only';
END
$$;

CREATE TRIGGER log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hostssl.log
    FOR EACH STATEMENT EXECUTE FUNCTION hostssl.log_is_append_only();

-- Who may change servers, or make the audit of a key, and until when by this server's clock. No two holders have one token.
CREATE TABLE hostssl.leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    -- The state directory of a running system: who has its lock knows that no other process with it is alive.
    directory text,
    token bigint NOT NULL,
    ends timestamptz NOT NULL
);
