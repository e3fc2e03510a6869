// Package notification is the notification service: it keeps what users were told.
//
// It sends nothing anywhere, no mail and no push message, and does not decide what is worth telling.
package notification

import (
	"context"
	"database/sql"
	"embed"
	"strconv"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/page"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
)

// Migrations make the database that New needs.
//
//go:embed migrations/*.sql
var Migrations embed.FS

const (
	adminScope = "notifications:admin"
	writeScope = "notifications:write"
)

// Page sizes of ListNotifications.
const (
	defaultPage = 20
	maxPage     = 100
)

// Service implements notificationv1.NotificationServiceServer. It is safe for concurrent use, also by several servers.
type Service struct {
	notificationv1.UnimplementedNotificationServiceServer

	db *sql.DB
}

// New builds the service over its database, which stays the caller's.
func New(db *sql.DB) *Service {
	return &Service{db: db}
}

// CreateNotification writes one, unless its id is there already.
func (s *Service) CreateNotification(
	ctx context.Context, req *notificationv1.CreateNotificationRequest,
) (*notificationv1.Notification, error) {
	if err := caller.From(ctx).RequireScope(writeScope); err != nil {
		return nil, err
	}

	return s.create(ctx, &notificationv1.Notification{
		NotificationId: req.GetNotificationId(),
		UserId:         req.GetUserId(),
		Kind:           req.GetKind(),
		Title:          req.GetTitle(),
		Body:           req.GetBody(),
		Data:           req.GetData(),
		CreateTime:     sqlstore.Now(),
	})
}

// ListNotifications lists a user's notifications, newest first.
func (s *Service) ListNotifications(
	ctx context.Context, req *notificationv1.ListNotificationsRequest,
) (*notificationv1.ListNotificationsResponse, error) {
	if err := authorize(ctx, req.GetUserId()); err != nil {
		return nil, err
	}

	filter := []string{"notifications", req.GetUserId(), strconv.FormatBool(req.GetUnreadOnly()), req.GetOrderId()}
	size := page.Size(req.GetPageSize(), defaultPage, maxPage)

	after, err := page.Read(req.GetPageToken(), page.Newest(), filter...)
	if err != nil {
		return nil, err
	}

	list, err := s.list(ctx, query{
		userID: req.GetUserId(), unreadOnly: req.GetUnreadOnly(), orderID: req.GetOrderId(), after: after, limit: size + 1,
	})
	if err != nil {
		return nil, err
	}

	resp := &notificationv1.ListNotificationsResponse{}
	resp.Notifications, resp.NextPageToken = page.Cut(list, size, position, filter...)

	if resp.UnreadCount, err = s.countUnread(ctx, req.GetUserId()); err != nil {
		return nil, err
	}

	return resp, nil
}

// MarkNotificationRead notes that the user has seen one.
func (s *Service) MarkNotificationRead(
	ctx context.Context, req *notificationv1.MarkNotificationReadRequest,
) (*notificationv1.Notification, error) {
	if err := authorize(ctx, req.GetUserId()); err != nil {
		return nil, err
	}

	return s.markRead(ctx, req.GetUserId(), req.GetNotificationId())
}

// authorize checks the caller before anything is looked up, so that nobody learns what others were told.
func authorize(ctx context.Context, userID string) error {
	return caller.From(ctx).RequireOwner(userID, adminScope, "user's notifications")
}
