-- What was known of the listeners of a server when an audit was kept, beside what the audit saw itself: the word of the worst, and
-- when the oldest look that counted was taken. Without a word for audits that an earlier version kept.
ALTER TABLE observations ADD COLUMN known_wire TEXT;
ALTER TABLE observations ADD COLUMN probed_ms INTEGER;
