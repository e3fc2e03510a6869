package traffic_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testhook"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	orderpagev1 "github.com/portico-gateway/portico/gen/orderpage/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// shop has one order of alice with many payments. Its calls are recorded by a backend.
type shop struct {
	orderv1.UnimplementedOrderServiceServer
	paymentv1.UnimplementedPaymentServiceServer
	notificationv1.UnimplementedNotificationServiceServer
	profilev1.UnimplementedProfileServiceServer

	payments []string
	// lost is the id of a payment that the payment service does not have.
	lost string
}

func (s *shop) GetOrder(_ context.Context, req *orderv1.GetOrderRequest) (*orderv1.Order, error) {
	return &orderv1.Order{OrderId: req.GetOrderId(), UserId: "alice", PaymentIds: s.payments}, nil
}

func (s *shop) GetPayment(_ context.Context, req *paymentv1.GetPaymentRequest) (*paymentv1.Payment, error) {
	if req.GetPaymentId() == s.lost {
		return nil, status.Error(codes.NotFound, "no such payment")
	}

	return &paymentv1.Payment{PaymentId: req.GetPaymentId()}, nil
}

func (s *shop) BatchGetPayments(
	ctx context.Context, req *paymentv1.BatchGetPaymentsRequest,
) (*paymentv1.BatchGetPaymentsResponse, error) {
	resp := &paymentv1.BatchGetPaymentsResponse{}

	for _, id := range req.GetPaymentIds() {
		p, err := s.GetPayment(ctx, &paymentv1.GetPaymentRequest{PaymentId: id})
		if err != nil {
			return nil, err
		}

		resp.Payments = append(resp.Payments, p)
	}

	return resp, nil
}

func (s *shop) ListNotifications(
	_ context.Context, req *notificationv1.ListNotificationsRequest,
) (*notificationv1.ListNotificationsResponse, error) {
	return &notificationv1.ListNotificationsResponse{Notifications: []*notificationv1.Notification{
		{NotificationId: "ntf_1", UserId: req.GetUserId(), Data: map[string]string{"order_id": req.GetOrderId()}},
	}}, nil
}

func (s *shop) GetProfile(_ context.Context, req *profilev1.GetProfileRequest) (*profilev1.Profile, error) {
	return &profilev1.Profile{UserId: req.GetUserId()}, nil
}

// startShop serves the product over a shop.
func startShop(t *testing.T, shop *shop) *gatewaytest.Site {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &gatewaytest.Backend{Address: listener.Addr().String(), Fail: map[string]error{}}
	server := grpc.NewServer(grpc.UnaryInterceptor(b.Unary))
	orderv1.RegisterOrderServiceServer(server, shop)
	paymentv1.RegisterPaymentServiceServer(server, shop)
	notificationv1.RegisterNotificationServiceServer(server, shop)
	profilev1.RegisterProfileServiceServer(server, shop)

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	// On a busy machine a call may come late to its batch.
	ctx := testhook.With(t.Context(), func(h *testhook.Hooks) { h.BatchQuiet = time.Minute })

	s := gatewaytest.StartIn(ctx, t, func(c *config.Config) {
		patient(c)

		for name := range c.Upstreams {
			c.Upstreams[name] = config.Upstream{Addresses: []string{b.Address}}
		}
	})
	s.Backend = b

	return s
}

// getPage gets the page of the order, and which calls were made for it.
func getPage(t *testing.T, s *gatewaytest.Site) (*orderpagev1.OrderPage, map[string]int) {
	t.Helper()

	res := s.Do(t, http.MethodGet, "/v1/orders/ord_1/page", s.As(t, "alice"), "")
	if res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	page, calls := &orderpagev1.OrderPage{}, map[string]int{}
	if err := protojson.Unmarshal([]byte(res.Body), page); err != nil {
		t.Fatal(err)
	}

	for _, c := range s.TakeCalls() {
		calls[c.RPC]++
	}

	return page, calls
}

// However many payments an order has, they are one call to the backend.
func TestOrderPageMakesOneCallForAllPayments(t *testing.T) {
	t.Parallel()

	shop := &shop{}
	for i := range 100 {
		shop.payments = append(shop.payments, fmt.Sprintf("pay_%d", i))
	}

	s := startShop(t, shop)

	page, calls := getPage(t, s)
	if len(page.GetPartialErrors()) != 0 || len(page.GetNotifications()) != 1 || page.GetBuyer().GetUserId() != "alice" {
		t.Errorf("the page is %v", page)
	}

	ids := make([]string, 0, len(page.GetPayments()))
	for _, p := range page.GetPayments() {
		ids = append(ids, p.GetPaymentId())
	}

	if diff := cmp.Diff(shop.payments, ids); diff != "" {
		t.Error(diff)
	}

	want := map[string]int{
		"/order.v1.OrderService/GetOrder": 1, "/payment.v1.PaymentService/BatchGetPayments": 1,
		"/notification.v1.NotificationService/ListNotifications": 1, "/profile.v1.ProfileService/GetProfile": 1,
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
}

// What is missing is missing as a whole, and the rest is there.
func TestOrderPageDoesWithoutPayments(t *testing.T) {
	t.Parallel()

	shop := &shop{payments: []string{"pay_1", "pay_2"}}
	s := startShop(t, shop)

	for name, change := range map[string]func(){
		"a_payment_that_is_lost": func() { shop.lost = "pay_2" },
		"a_service_that_is_down": func() {
			s.Fail["/payment.v1.PaymentService/BatchGetPayments"] = status.Error(codes.Unavailable, "disk 7 at 10.0.0.7")
		},
	} {
		change()

		page, _ := getPage(t, s)
		if missing := page.GetPartialErrors(); len(missing) != 1 || missing[0].GetPart() != "payments" || len(page.GetPayments()) != 0 {
			t.Errorf("%s: %v", name, page)
		}

		if page.GetOrder().GetOrderId() != "ord_1" || len(page.GetNotifications()) != 1 || page.GetBuyer() == nil {
			t.Errorf("%s: the rest is %v", name, page)
		}
	}
}
