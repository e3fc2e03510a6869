-- +goose Up
ALTER TABLE payments ADD COLUMN source BLOB; -- a payment.v1.Payment with nothing but its source

-- +goose Down
ALTER TABLE payments DROP COLUMN source;
