-- +goose Up
CREATE TABLE closed_orders (
    order_id   TEXT    NOT NULL PRIMARY KEY,
    close_time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE closed_orders;
