package sqlstore

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
)

// JSON is a column that holds a value as JSON text.
type JSON[T any] struct {
	V T
}

// Value implements driver.Valuer.
func (j JSON[T]) Value() (driver.Value, error) {
	text, err := json.Marshal(j.V)
	if err != nil {
		return nil, fmt.Errorf("encode column: %w", err)
	}

	return string(text), nil
}

// Scan implements sql.Scanner.
func (j *JSON[T]) Scan(column any) error {
	text, ok := column.(string)
	if !ok {
		return fmt.Errorf("decode column: want text, have %T", column)
	}

	if err := json.Unmarshal([]byte(text), &j.V); err != nil {
		return fmt.Errorf("decode column: %w", err)
	}

	return nil
}
