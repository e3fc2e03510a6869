-- +goose Up
ALTER TABLE orders ADD COLUMN destination BLOB; -- an order.v1.Order with nothing but its destination

-- +goose Down
ALTER TABLE orders DROP COLUMN destination;
