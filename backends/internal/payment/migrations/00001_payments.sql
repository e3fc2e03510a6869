-- +goose Up
CREATE TABLE payments (
    payment_id  TEXT    NOT NULL PRIMARY KEY,
    order_id    TEXT    NOT NULL,
    user_id     TEXT    NOT NULL,
    method      INTEGER NOT NULL,
    currency    TEXT    NOT NULL,
    units       INTEGER NOT NULL,
    nanos       INTEGER NOT NULL,
    create_time INTEGER NOT NULL,
    update_time INTEGER NOT NULL
) STRICT;

CREATE INDEX payments_by_order ON payments (order_id);

-- The status of a payment follows from its refunds.
CREATE TABLE refunds (
    payment_id  TEXT    NOT NULL REFERENCES payments (payment_id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    units       INTEGER NOT NULL,
    nanos       INTEGER NOT NULL,
    reason      TEXT    NOT NULL,
    create_time INTEGER NOT NULL,
    PRIMARY KEY (payment_id, position)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE refunds;
DROP TABLE payments;
