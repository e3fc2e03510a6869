-- +goose Up
CREATE TABLE users (
    user_id      TEXT    NOT NULL PRIMARY KEY,
    email        TEXT    NOT NULL COLLATE NOCASE UNIQUE,
    display_name TEXT    NOT NULL,
    status       INTEGER NOT NULL,
    phone        TEXT,
    labels       TEXT    NOT NULL, -- JSON object
    create_time  INTEGER NOT NULL,
    update_time  INTEGER NOT NULL
) STRICT;

CREATE INDEX users_by_time ON users (create_time, user_id);

-- +goose Down
DROP TABLE users;
