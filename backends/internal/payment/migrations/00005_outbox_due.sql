-- +goose Up
ALTER TABLE outbox ADD COLUMN due_time INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE outbox DROP COLUMN due_time;
