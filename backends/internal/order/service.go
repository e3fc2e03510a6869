// Package order is the order service: it takes orders and follows them until they are delivered or cancelled.
//
// It does not take money (payment does) and does not keep accounts: it asks the user service whether a user exists.
package order

import (
	"context"
	"database/sql"
	"embed"
	"log/slog"
	"strconv"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/ident"
	"github.com/portico-gateway/portico/backends/internal/notify"
	"github.com/portico-gateway/portico/backends/internal/outbox"
	"github.com/portico-gateway/portico/backends/internal/page"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	"github.com/portico-gateway/portico/backends/internal/validate"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// Migrations make the database that New needs.
//
//go:embed migrations/*.sql
var Migrations embed.FS

const (
	adminScope  = "orders:admin"
	settleScope = "orders:settle"
)

// Page sizes of ListOrders.
const (
	defaultPage = 20
	maxPage     = 100
)

// Short names for the statuses.
const (
	pending   = orderv1.OrderStatus_ORDER_STATUS_PENDING
	paid      = orderv1.OrderStatus_ORDER_STATUS_PAID
	shipped   = orderv1.OrderStatus_ORDER_STATUS_SHIPPED
	delivered = orderv1.OrderStatus_ORDER_STATUS_DELIVERED
	cancelled = orderv1.OrderStatus_ORDER_STATUS_CANCELLED
)

// Service implements orderv1.OrderServiceServer. It is safe for concurrent use, also by several servers.
type Service struct {
	orderv1.UnimplementedOrderServiceServer

	db      *sql.DB
	users   userv1.UserServiceClient
	box     *outbox.Outbox
	watches *watches
}

// New builds the service over its database and its connections to the user and the notification service, which stay the caller's.
// Run delivers what it has to tell others.
func New(db *sql.DB, users, notifications grpc.ClientConnInterface, logger *slog.Logger) *Service {
	return &Service{
		db:      db,
		users:   userv1.NewUserServiceClient(users),
		box:     outbox.New(db, logger, map[string]outbox.Handler{notify.Topic: notify.Handler(notifications, "order")}),
		watches: newWatches(),
	}
}

// Run delivers notifications until ctx ends.
func (s *Service) Run(ctx context.Context) {
	s.box.Run(ctx)
}

// CreateOrder places an order for an existing user. Made again with the same request_id, it answers with the order that is there.
func (s *Service) CreateOrder(ctx context.Context, req *orderv1.CreateOrderRequest) (*orderv1.Order, error) {
	userID, err := orderFor(ctx, req.GetUserId())
	if err != nil {
		return nil, err
	}

	named := named(ctx, req, userID)

	var v fault.Violations

	named.Check(&v)

	total := check(&v, req)
	if err := v.Err(); err != nil {
		return nil, err
	}

	// What was placed needs neither the user nor the user service any more.
	if o, err := repeated(ctx, s.db, named); err != nil || o != nil {
		return o, err
	}

	if err := s.requireUser(ctx, userID); err != nil {
		return nil, err
	}

	now := sqlstore.Now()

	return s.place(ctx, named, &orderv1.Order{
		OrderId:       ident.New("ord"),
		UserId:        userID,
		Status:        pending,
		Items:         req.GetItems(),
		Total:         total,
		TotalQuantity: totalQuantity(req.GetItems()),
		Note:          req.Note,
		Labels:        req.GetLabels(),
		CreateTime:    now,
		UpdateTime:    now,
	})
}

// orderFor gives the user whose order it will be: the caller, unless another is named.
func orderFor(ctx context.Context, userID string) (string, error) {
	who := caller.From(ctx)
	if err := who.Authenticated(); err != nil {
		return "", err
	}

	if userID == "" {
		userID = who.Subject
	}

	if !who.MayActFor(userID, adminScope) {
		return "", fault.PermissionDenied("you may not place orders for another user")
	}

	return userID, nil
}

// GetOrder reads one order.
func (s *Service) GetOrder(ctx context.Context, req *orderv1.GetOrderRequest) (*orderv1.Order, error) {
	return s.find(ctx, s.db, req.GetOrderId())
}

// ListOrders lists a user's orders, newest first.
func (s *Service) ListOrders(ctx context.Context, req *orderv1.ListOrdersRequest) (*orderv1.ListOrdersResponse, error) {
	if err := caller.From(ctx).RequireOwner(req.GetUserId(), adminScope, "user's orders"); err != nil {
		return nil, err
	}

	var v fault.Violations
	validate.ID(&v, "user_id", req.GetUserId())

	if _, known := orderv1.OrderStatus_name[int32(req.GetStatus())]; !known {
		v.Addf("status", "must be a known status")
	}

	filter := []string{"orders", req.GetUserId(), strconv.Itoa(int(req.GetStatus()))}
	size := page.Size(&v, req.GetPageSize(), defaultPage, maxPage)
	after := page.Read(&v, req.GetPageToken(), page.Newest(), filter...)

	if err := v.Err(); err != nil {
		return nil, err
	}

	q := query{userID: req.GetUserId(), status: req.GetStatus(), after: after, limit: size + 1}

	orders, err := s.list(ctx, q)
	if err != nil {
		return nil, err
	}

	resp := &orderv1.ListOrdersResponse{}
	resp.Orders, resp.NextPageToken = page.Cut(orders, size, position, filter...)

	if resp.TotalSize, err = s.count(ctx, q); err != nil {
		return nil, err
	}

	return resp, nil
}

// CancelOrder cancels an order that has not been shipped.
func (s *Service) CancelOrder(ctx context.Context, req *orderv1.CancelOrderRequest) (*orderv1.Order, error) {
	if err := caller.From(ctx).Authenticated(); err != nil {
		return nil, err
	}

	var v fault.Violations
	if validate.Text(&v, "reason", req.GetReason(), maxReason); v.Err() != nil {
		return nil, v.Err()
	}

	return s.change(ctx, req.GetOrderId(), s.find, func(o *orderv1.Order) (bool, error) {
		switch o.GetStatus() {
		case cancelled:
			return false, fault.FailedPrecondition("the order is cancelled already")
		case shipped, delivered:
			return false, fault.FailedPrecondition("the order cannot be cancelled: it was %s", statusText(o.GetStatus()))
		default:
		}

		o.Status = cancelled
		if req.GetReason() != "" {
			o.CancelReason = new(req.GetReason())
		}

		return true, nil
	})
}

// MarkOrderPaid notes that an order is paid in full.
func (s *Service) MarkOrderPaid(ctx context.Context, req *orderv1.MarkOrderPaidRequest) (*orderv1.Order, error) {
	if err := caller.From(ctx).RequireScope(settleScope); err != nil {
		return nil, err
	}

	return s.change(ctx, req.GetOrderId(), load, func(o *orderv1.Order) (bool, error) {
		switch o.GetStatus() {
		case paid, shipped, delivered:
			return false, nil
		case cancelled:
			return false, fault.FailedPrecondition("the order is cancelled")
		default:
		}

		o.Status = paid

		return true, nil
	})
}
