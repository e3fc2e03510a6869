-- +goose Up
CREATE TABLE notifications (
    notification_id TEXT    NOT NULL PRIMARY KEY,
    user_id         TEXT    NOT NULL,
    kind            INTEGER NOT NULL,
    title           TEXT    NOT NULL,
    body            TEXT    NOT NULL,
    data            TEXT    NOT NULL, -- JSON object
    create_time     INTEGER NOT NULL,
    read_time       INTEGER
) STRICT;

CREATE INDEX notifications_by_user ON notifications (user_id, create_time, notification_id);
CREATE INDEX notifications_unread ON notifications (user_id, create_time, notification_id) WHERE read_time IS NULL;

-- +goose Down
DROP TABLE notifications;
