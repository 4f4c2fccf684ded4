-- Servers that an audit which began after they were last listed was asked for and did not list. One that is listed again is removed.
CREATE TABLE unlisted (
    server INTEGER PRIMARY KEY,
    -- 1 where its place was listed whole: it is gone. 0 where its place could not be searched.
    gone INTEGER NOT NULL
) STRICT;

-- The audits whose part in that is taken in. Those that an earlier version kept are taken in later.
CREATE TABLE searched (
    audit INTEGER PRIMARY KEY
) STRICT;
