-- +goose Up
CREATE TABLE requests (
    subject     TEXT    NOT NULL,
    method      TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    request     BLOB    NOT NULL, -- as protobuf
    resource    TEXT    NOT NULL,
    create_time INTEGER NOT NULL,
    PRIMARY KEY (subject, method, request_id)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE requests;
