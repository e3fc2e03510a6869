-- +goose Up
CREATE TABLE profiles (
    user_id          TEXT    NOT NULL PRIMARY KEY,
    bio              TEXT    NOT NULL,
    avatar_url       TEXT    NOT NULL,
    locale           TEXT    NOT NULL,
    time_zone        TEXT    NOT NULL,
    shipping_address TEXT, -- JSON object
    interests        TEXT    NOT NULL, -- JSON array
    preferences      TEXT    NOT NULL, -- JSON object
    birth_year       INTEGER,
    loyalty_tier     INTEGER NOT NULL,
    loyalty_points   INTEGER NOT NULL,
    update_time      INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE profiles;
