package notification

import (
	"database/sql"
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
)

// columns are in the order of scan.
const columns = `notification_id, user_id, kind, title, body, data, create_time, read_time`

func scan(row sqlstore.Row) (*notificationv1.Notification, error) {
	var (
		n       notificationv1.Notification
		data    sqlstore.JSON[map[string]string]
		created int64
		read    sql.NullInt64
	)

	err := row.Scan(&n.NotificationId, &n.UserId, &n.Kind, &n.Title, &n.Body, &data, &created, &read)
	if err != nil {
		return nil, fmt.Errorf("read notification: %w", err)
	}

	n.Data = data.V
	n.CreateTime = sqlstore.Timestamp(created)

	if read.Valid {
		n.ReadTime = sqlstore.Timestamp(read.Int64)
	}

	return &n, nil
}

func dataColumn(n *notificationv1.Notification) sqlstore.JSON[map[string]string] {
	return sqlstore.JSON[map[string]string]{V: n.GetData()}
}

func readTimeColumn(n *notificationv1.Notification) sql.NullInt64 {
	if n.GetReadTime() == nil {
		return sql.NullInt64{}
	}

	return sql.NullInt64{Int64: sqlstore.Micros(n.GetReadTime()), Valid: true}
}
