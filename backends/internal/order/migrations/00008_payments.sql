-- +goose Up
ALTER TABLE orders ADD COLUMN payment_ids TEXT NOT NULL DEFAULT '[]'; -- JSON array

-- +goose Down
ALTER TABLE orders DROP COLUMN payment_ids;
