-- +goose Up
CREATE TABLE orders (
    order_id       TEXT    NOT NULL PRIMARY KEY,
    user_id        TEXT    NOT NULL,
    status         INTEGER NOT NULL,
    currency       TEXT    NOT NULL,
    total_units    INTEGER NOT NULL,
    total_nanos    INTEGER NOT NULL,
    total_quantity INTEGER NOT NULL,
    note           TEXT,
    labels         TEXT    NOT NULL, -- JSON object
    cancel_reason  TEXT,
    create_time    INTEGER NOT NULL,
    update_time    INTEGER NOT NULL
) STRICT;

CREATE INDEX orders_by_user ON orders (user_id, create_time, order_id);

CREATE TABLE order_items (
    order_id    TEXT    NOT NULL REFERENCES orders (order_id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    sku         TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    quantity    INTEGER NOT NULL,
    price_units INTEGER NOT NULL,
    price_nanos INTEGER NOT NULL,
    attributes  TEXT    NOT NULL, -- JSON object
    PRIMARY KEY (order_id, position)
) STRICT, WITHOUT ROWID;

-- Every status that an order has had, the first included. Rows are never changed.
CREATE TABLE order_changes (
    order_id        TEXT    NOT NULL REFERENCES orders (order_id) ON DELETE CASCADE,
    sequence        INTEGER NOT NULL,
    status          INTEGER NOT NULL,
    previous_status INTEGER NOT NULL,
    change_time     INTEGER NOT NULL,
    PRIMARY KEY (order_id, sequence)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE order_changes;
DROP TABLE order_items;
DROP TABLE orders;
