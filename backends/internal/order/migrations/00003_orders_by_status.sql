-- +goose Up
CREATE INDEX orders_by_status ON orders (user_id, status, create_time, order_id);

-- +goose Down
DROP INDEX orders_by_status;
