-- +goose Up
-- The order service is told of every payment. This adds the messages about those that are there already. Ids have 26 characters.
INSERT INTO outbox (id, topic, payload, request_id, create_time)
SELECT lower(hex(randomblob(13))), 'order-payment', CAST(payment_id AS BLOB), '', create_time FROM payments ORDER BY create_time, payment_id;

-- +goose Down
DELETE FROM outbox WHERE topic = 'order-payment';
