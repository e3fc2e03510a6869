// Package order is the order service: it takes orders and follows them until they are delivered or cancelled.
//
// It takes no money and gives none back (payment does), and keeps no accounts: it asks the user service whether a user exists.
package order

import (
	"context"
	"database/sql"
	"embed"
	"log/slog"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/ident"
	"github.com/portico-gateway/portico/backends/internal/notify"
	"github.com/portico-gateway/portico/backends/internal/outbox"
	"github.com/portico-gateway/portico/backends/internal/page"
	"github.com/portico-gateway/portico/backends/internal/peer"
	"github.com/portico-gateway/portico/backends/internal/repeat"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
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

// New builds the service over its database and its connections to other services, which stay the caller's. Run delivers what it has
// to tell them.
func New(db *sql.DB, users, payments, notifications grpc.ClientConnInterface, logger *slog.Logger) *Service {
	return &Service{
		db:    db,
		users: userv1.NewUserServiceClient(users),
		box: outbox.New(db, logger, map[string]outbox.Handler{
			notify.Topic:   notify.Handler(notifications, "order"),
			cancelledTopic: refundOrder(paymentv1.NewPaymentServiceClient(payments)),
		}),
		watches: newWatches(),
	}
}

// Run delivers notifications, and tells the payment service what is cancelled, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	s.box.Run(ctx)
}

// CreateOrder places an order for an existing user. Made again with the same request_id, it answers with the order that is there.
func (s *Service) CreateOrder(ctx context.Context, req *orderv1.CreateOrderRequest) (*orderv1.Order, error) {
	userID, err := orderFor(ctx, req.GetUserId())
	if err != nil {
		return nil, err
	}

	sum, err := total(req.GetItems())
	if err != nil {
		return nil, err
	}

	// To name oneself says the same as to name nobody.
	req = proto.CloneOf(req)
	req.UserId = userID

	// What was placed needs neither the user nor the user service any more.
	if o, found, err := repeat.Earlier(ctx, s.db, req, load); err != nil || found {
		return o, err
	}

	if err := s.requireUser(ctx, userID); err != nil {
		return nil, err
	}

	return s.place(ctx, req, sum)
}

func (s *Service) place(ctx context.Context, req *orderv1.CreateOrderRequest, sum *moneyv1.Money) (*orderv1.Order, error) {
	o, err := repeat.Once(ctx, s.db, req, load, func(tx *sql.Tx) (*orderv1.Order, string, error) {
		now := sqlstore.Now()
		o := &orderv1.Order{
			OrderId:       ident.New("ord"),
			UserId:        req.GetUserId(),
			Status:        pending,
			Items:         req.GetItems(),
			Total:         sum,
			TotalQuantity: totalQuantity(req.GetItems()),
			Note:          req.Note,
			Labels:        req.GetLabels(),
			CreateTime:    now,
			UpdateTime:    now,
		}

		if err := insert(ctx, tx, o); err != nil {
			return nil, "", err
		}

		return o, o.GetOrderId(), s.record(ctx, tx, o, orderv1.OrderStatus_ORDER_STATUS_UNSPECIFIED)
	})
	if err != nil {
		return nil, err
	}

	s.box.Wake()

	return o, nil
}

// orderFor gives the user whose order it will be: the caller, unless another is named.
func orderFor(ctx context.Context, userID string) (string, error) {
	who := caller.From(ctx)
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
	o, err := find(ctx, s.db, req.GetOrderId())
	if err != nil {
		return nil, err
	}

	return tagged(ctx, o)
}

// ListOrders lists a user's orders, newest first.
func (s *Service) ListOrders(ctx context.Context, req *orderv1.ListOrdersRequest) (*orderv1.ListOrdersResponse, error) {
	if err := caller.From(ctx).RequireOwner(req.GetUserId(), adminScope, "user's orders"); err != nil {
		return nil, err
	}

	filter := []string{"orders", req.GetUserId(), strconv.Itoa(int(req.GetStatus()))}
	size := page.Size(req.GetPageSize(), defaultPage, maxPage)

	after, err := page.Read(req.GetPageToken(), page.Newest(), filter...)
	if err != nil {
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

// requireUser asks the user service. It is asked in the name of the caller, unless the caller orders for someone else: that
// right was given for orders and need not include reading accounts, so the service asks for itself.
func (s *Service) requireUser(ctx context.Context, userID string) error {
	who := caller.From(ctx)
	if who.Subject != userID {
		who = caller.Service("order", "users:admin").WithRequestID(who.RequestID)
	}

	ask, cancel := context.WithTimeout(caller.Outgoing(ctx, who), peer.Timeout)
	defer cancel()

	_, err := s.users.GetUser(ask, &userv1.GetUserRequest{UserId: userID})

	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.NotFound, codes.InvalidArgument:
		return fault.FailedPrecondition("the user does not exist")
	default:
		return peer.Failure(ctx, "user", err)
	}
}
