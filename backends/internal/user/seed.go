package user

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/demo"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// Seed writes the demo users, once in the life of the database.
func Seed(ctx context.Context, db *sql.DB) error {
	err := sqlstore.Once(ctx, db, func(tx *sql.Tx) error {
		for _, u := range demoUsers() {
			if err := insert(ctx, tx, u); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("seed users: %w", err)
	}

	return nil
}

func demoUsers() []*userv1.User {
	active := userv1.UserStatus_USER_STATUS_ACTIVE

	return []*userv1.User{
		{
			UserId: demo.Admin, Email: "admin@example.com", DisplayName: "Ada Admin", Status: active,
			Phone: new("+4312345670"), Labels: map[string]string{"team": "operations"},
			CreateTime: demo.At(1, 5, 8, 0), UpdateTime: demo.At(1, 5, 8, 0),
		},
		{
			UserId: demo.Alice, Email: "alice@example.com", DisplayName: "Alice Adler", Status: active,
			Phone: new("+436601234567"), Labels: map[string]string{"plan": "plus", "newsletter": "weekly"},
			CreateTime: demo.At(1, 26, 9, 12), UpdateTime: demo.At(2, 14, 18, 30),
		},
		{
			UserId: demo.Bob, Email: "bob@example.com", DisplayName: "Bob Berger", Status: active,
			Phone: new("+4915112345678"), Labels: map[string]string{"plan": "basic"},
			CreateTime: demo.At(2, 3, 16, 45), UpdateTime: demo.At(2, 3, 16, 45),
		},
	}
}
