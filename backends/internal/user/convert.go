package user

import (
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// columns are in the order of scan.
const columns = `user_id, email, display_name, status, phone, labels, create_time, update_time`

func scan(row sqlstore.Row) (*userv1.User, error) {
	var (
		u                userv1.User
		labels           sqlstore.JSON[map[string]string]
		created, updated int64
	)

	err := row.Scan(&u.UserId, &u.Email, &u.DisplayName, &u.Status, &u.Phone, &labels, &created, &updated)
	if err != nil {
		return nil, fmt.Errorf("read user: %w", err)
	}

	u.Labels = labels.V
	u.CreateTime = sqlstore.Timestamp(created)
	u.UpdateTime = sqlstore.Timestamp(updated)

	return &u, nil
}

func labelsColumn(u *userv1.User) sqlstore.JSON[map[string]string] {
	return sqlstore.JSON[map[string]string]{V: u.GetLabels()}
}
