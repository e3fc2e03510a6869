-- +goose Up
CREATE TABLE outbox (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    topic       TEXT    NOT NULL,
    payload     BLOB    NOT NULL,
    request_id  TEXT    NOT NULL,
    create_time INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    parked_time INTEGER,
    last_error  TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX outbox_waiting ON outbox (topic, seq) WHERE parked_time IS NULL;

-- +goose Down
DROP TABLE outbox;
