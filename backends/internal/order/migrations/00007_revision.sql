-- +goose Up
ALTER TABLE orders ADD COLUMN revision INTEGER NOT NULL DEFAULT 1; -- counts the changes of the order

-- +goose Down
ALTER TABLE orders DROP COLUMN revision;
