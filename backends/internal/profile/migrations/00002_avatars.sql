-- +goose Up
-- The picture that each user shows.
CREATE TABLE avatars (
    user_id      TEXT    NOT NULL PRIMARY KEY,
    version      TEXT    NOT NULL, -- Whose chunks it consists of.
    content_type TEXT    NOT NULL,
    size_bytes   INTEGER NOT NULL,
    etag         TEXT    NOT NULL,
    update_time  INTEGER NOT NULL
) STRICT;

-- Pieces of pictures, those included that nobody sees. They follow one another without a gap.
CREATE TABLE avatar_chunks (
    version TEXT    NOT NULL,
    start   INTEGER NOT NULL, -- Bytes of the picture before this chunk.
    data    BLOB    NOT NULL,
    PRIMARY KEY (version, start)
) STRICT;

-- Versions that nobody sees: uploads under way and what is to be deleted.
CREATE TABLE hidden_avatars (
    version     TEXT    NOT NULL PRIMARY KEY,
    active_time INTEGER NOT NULL -- When the upload was last heard of; 0 for what is to be deleted.
) STRICT;

CREATE INDEX hidden_avatars_by_time ON hidden_avatars (active_time);

-- +goose Down
DROP TABLE hidden_avatars;
DROP TABLE avatar_chunks;
DROP TABLE avatars;
