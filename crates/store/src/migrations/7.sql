-- The tags of a server beside the document that holds them, for lists and counts, which read no documents. Azure compares the names of
-- tags without case.
CREATE TABLE tags (
    facts INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    value TEXT NOT NULL,
    PRIMARY KEY (facts, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_name ON tags (name, value, facts);
INSERT OR IGNORE INTO tags SELECT f.num, t.key, t.value FROM facts f, json_each(f.document, '$.tags') t;
