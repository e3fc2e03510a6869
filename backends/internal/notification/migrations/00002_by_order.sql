-- +goose Up
CREATE INDEX notifications_by_order ON notifications (user_id, data ->> '$.order_id', create_time, notification_id);

-- +goose Down
DROP INDEX notifications_by_order;
