package embedding_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testhook"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// till is a backend with an order that has two payments.
type till struct {
	orderv1.UnimplementedOrderServiceServer
	paymentv1.UnimplementedPaymentServiceServer
}

func (till) GetOrder(_ context.Context, req *orderv1.GetOrderRequest) (*orderv1.Order, error) {
	return &orderv1.Order{OrderId: req.GetOrderId(), UserId: "alice", PaymentIds: []string{"pay_1", "pay_2"}}, nil
}

func (till) BatchGetPayments(_ context.Context, req *paymentv1.BatchGetPaymentsRequest) (*paymentv1.BatchGetPaymentsResponse, error) {
	list := &paymentv1.BatchGetPaymentsResponse{}
	for _, id := range req.GetPaymentIds() {
		list.Payments = append(list.Payments, &paymentv1.Payment{PaymentId: id})
	}

	return list, nil
}

// startTill starts the backend and returns its address.
func startTill(t *testing.T) string {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer()
	orderv1.RegisterOrderServiceServer(server, till{})
	paymentv1.RegisterPaymentServiceServer(server, till{})

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return listener.Addr().String()
}

// redact changes the replies that it knows, and notes those that it does not.
func (m *meeting) redact(
	ctx context.Context, rpc string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	err := next(ctx, rpc, req, reply, cc, opts...)

	switch reply := reply.(type) {
	case *userv1.User:
		reply.DisplayName = "redacted " + reply.GetUserId()
	case *profilev1.Profile:
		reply.Bio = "redacted bio of " + reply.GetUserId()
	case *paymentv1.BatchGetPaymentsResponse:
		for _, p := range reply.GetPayments() {
			p.UserId = "redacted " + p.GetPaymentId()
		}
	default:
		m.note(rpc)
	}

	return err
}

// An interceptor of an embedding program sees replies as messages of their type, whether they are for a route or a composite that only
// passes them on, stores them or gets them in a batch; and what it changes is what clients get.
func TestDialOptionsSeeReplies(t *testing.T) {
	t.Parallel()

	m, address := &meeting{}, startTill(t)
	redacted := grpc.WithChainUnaryInterceptor(m.redact)
	// On a busy machine a call may come late to its batch.
	ctx := testhook.With(t.Context(), func(h *testhook.Hooks) { h.BatchQuiet = time.Minute })

	s := gatewaytest.StartIn(ctx, t, func(c *config.Config) {
		gatewaytest.Unlimited(c)

		c.Upstreams["order"], c.Upstreams["payment"] = config.Upstream{Addresses: []string{address}}, config.Upstream{Addresses: []string{address}}
	}, bff.WithDialOptions("user", redacted), bff.WithDialOptions("profile", redacted), bff.WithDialOptions("payment", redacted))
	alice := s.As(t, "alice")

	const user, profile = `"displayName":"redacted alice"`, `"bio":"redacted bio of alice"`

	for _, row := range []struct {
		target string
		want   []string
	}{
		{"/v1/users/alice", []string{user}},
		{"/v1/users/alice/profile", []string{profile}},
		{"/v1/users/alice/profile?fields=bio", []string{profile}},
		{"/v1/me/dashboard", []string{user, profile}},
		{"/v1/me/dashboard?fields=user.displayName,profile.bio", []string{user, profile}},
		{"/v1/orders/ord_1/page", []string{profile, `"userId":"redacted pay_1"`, `"userId":"redacted pay_2"`}},
	} {
		// The second time, profiles are stored.
		for range 2 {
			res := s.Do(t, http.MethodGet, row.target, alice, "")
			if res.Status != http.StatusOK || slices.ContainsFunc(row.want, func(part string) bool { return !strings.Contains(res.Body, part) }) {
				t.Errorf("%s: %d %s", row.target, res.Status, res.Body)
			}
		}
	}

	if met := m.taken(); len(met) > 0 {
		t.Errorf("not decoded: %q", met)
	}
}
