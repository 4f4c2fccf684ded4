-- Sign-in links that someone made for another person, and the sessions that they began, under the SHA-256 of their secrets. Who is
-- signed in otherwise was named when a console was started.
CREATE TABLE invited (
    secret TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
