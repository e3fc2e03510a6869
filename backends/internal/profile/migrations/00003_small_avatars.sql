-- +goose Up
DROP TABLE hidden_avatars;
DROP TABLE avatar_chunks;
DROP TABLE avatars;

CREATE TABLE avatars (
    user_id      TEXT    NOT NULL PRIMARY KEY,
    content_type TEXT    NOT NULL,
    data         BLOB    NOT NULL,
    etag         TEXT    NOT NULL,
    update_time  INTEGER NOT NULL
) STRICT;

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
