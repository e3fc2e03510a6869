-- +goose Up
-- A picture is one row. Those that are larger than an upload may be now are dropped, and all but 1,000.
ALTER TABLE avatars RENAME TO chunked_avatars;

CREATE TABLE avatars (
    user_id      TEXT    NOT NULL PRIMARY KEY,
    content_type TEXT    NOT NULL,
    data         BLOB    NOT NULL,
    etag         TEXT    NOT NULL,
    update_time  INTEGER NOT NULL
) STRICT;

INSERT INTO avatars (user_id, content_type, data, etag, update_time)
SELECT user_id, content_type,
    (SELECT unhex(group_concat(hex(data), '' ORDER BY start)) FROM avatar_chunks AS c WHERE c.version = a.version),
    etag, update_time
FROM chunked_avatars AS a
WHERE size_bytes BETWEEN 1 AND 4194304
ORDER BY update_time DESC
LIMIT 1000;

DROP TABLE hidden_avatars;
DROP TABLE avatar_chunks;
DROP TABLE chunked_avatars;

-- +goose Down
DROP TABLE avatars;

CREATE TABLE avatars (
    user_id      TEXT    NOT NULL PRIMARY KEY,
    version      TEXT    NOT NULL,
    content_type TEXT    NOT NULL,
    size_bytes   INTEGER NOT NULL,
    etag         TEXT    NOT NULL,
    update_time  INTEGER NOT NULL
) STRICT;

CREATE TABLE avatar_chunks (
    version TEXT    NOT NULL,
    start   INTEGER NOT NULL,
    data    BLOB    NOT NULL,
    PRIMARY KEY (version, start)
) STRICT;

CREATE TABLE hidden_avatars (
    version     TEXT    NOT NULL PRIMARY KEY,
    active_time INTEGER NOT NULL
) STRICT;

CREATE INDEX hidden_avatars_by_time ON hidden_avatars (active_time);
