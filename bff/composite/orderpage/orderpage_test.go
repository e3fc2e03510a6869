package orderpage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/portico-gateway/portico/bff/composite/orderpage"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	orderpagev1 "github.com/portico-gateway/portico/gen/orderpage/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

const (
	getOrder          = "/order.v1.OrderService/GetOrder"
	getPayment        = "/payment.v1.PaymentService/GetPayment"
	listNotifications = "/notification.v1.NotificationService/ListNotifications"
	getProfile        = "/profile.v1.ProfileService/GetProfile"
)

// answerTime is how long each backend takes.
const answerTime = 100 * time.Millisecond

// backends are connections to backends that know one order, ord_1 of usr_1, after answerTime.
type backends struct {
	// fail are errors of RPCs.
	fail map[string]error
	// payments are the ids of the order's payments.
	payments []string

	mu sync.Mutex
	// calls are the requests, by RPC, and started is when the first of each began.
	calls   map[string][]proto.Message
	started map[string]time.Time
}

func (b *backends) note(method string, req proto.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if b.calls == nil {
		b.calls, b.started = map[string][]proto.Message{}, map[string]time.Time{}
	}

	if b.calls[method] == nil {
		b.started[method] = time.Now()
	}

	b.calls[method] = append(b.calls[method], req)
}

// Invoke implements grpc.ClientConnInterface.
func (b *backends) Invoke(ctx context.Context, method string, req, reply any, _ ...grpc.CallOption) error {
	b.note(method, req.(proto.Message))

	select {
	case <-time.After(answerTime):
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}

	if err := b.fail[method]; err != nil {
		return err
	}

	switch req := req.(type) {
	case *orderv1.GetOrderRequest:
		proto.Merge(reply.(proto.Message), &orderv1.Order{OrderId: req.GetOrderId(), UserId: "usr_1", PaymentIds: b.payments})
	case *paymentv1.GetPaymentRequest:
		proto.Merge(reply.(proto.Message), &paymentv1.Payment{PaymentId: req.GetPaymentId()})
	case *notificationv1.ListNotificationsRequest:
		proto.Merge(reply.(proto.Message), &notificationv1.ListNotificationsResponse{
			Notifications: []*notificationv1.Notification{{NotificationId: "ntf_1"}},
		})
	case *profilev1.GetProfileRequest:
		proto.Merge(reply.(proto.Message), &profilev1.Profile{UserId: req.GetUserId()})
	default:
		return fmt.Errorf("called %s", method)
	}

	return nil
}

// NewStream implements grpc.ClientConnInterface.
func (b *backends) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("the page streams nothing")
}

// page gets the page of ord_1.
func page(tb testing.TB, b *backends) (*orderpagev1.OrderPage, error) {
	tb.Helper()

	s, err := orderpage.New(func(string) (grpc.ClientConnInterface, error) { return b, nil })
	if err != nil {
		tb.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(tb.Context(), 10*answerTime)
	defer cancel()

	return s.GetOrderPage(ctx, &orderpagev1.GetOrderPageRequest{OrderId: "ord_1"})
}

// complete is the page of ord_1 with its payments.
func complete(payments ...string) *orderpagev1.OrderPage {
	want := &orderpagev1.OrderPage{
		Order:         &orderv1.Order{OrderId: "ord_1", UserId: "usr_1", PaymentIds: payments},
		Notifications: []*notificationv1.Notification{{NotificationId: "ntf_1"}},
		Buyer:         &profilev1.Profile{UserId: "usr_1"},
	}
	for _, id := range payments {
		want.Payments = append(want.Payments, &paymentv1.Payment{PaymentId: id})
	}

	return want
}

func TestAllThatNeedsTheOrderIsCalledAfterItAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &backends{payments: []string{"pay_1", "pay_2", "pay_3"}}
		start := time.Now()

		got, err := page(t, b)
		if err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff(complete(b.payments...), got, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}

		if took := time.Since(start); took != 2*answerTime {
			t.Errorf("took %s", took)
		}

		for rpc, count := range map[string]int{getOrder: 1, getPayment: 3, listNotifications: 1, getProfile: 1} {
			want := answerTime
			if rpc == getOrder {
				want = 0
			}

			if after := b.started[rpc].Sub(start); len(b.calls[rpc]) != count || after != want {
				t.Errorf("%s: %d calls, the first after %s", rpc, len(b.calls[rpc]), after)
			}
		}

		want := &notificationv1.ListNotificationsRequest{UserId: "usr_1", OrderId: "ord_1", PageSize: 20}
		if diff := cmp.Diff(want, b.calls[listNotifications][0], protocmp.Transform()); diff != "" {
			t.Errorf("asked for other notifications:\n%s", diff)
		}
	})
}

// As many payments as an order can have are asked for at once, so that they can be one batch.
func TestPaymentsAreAskedForAtOnce(t *testing.T) {
	t.Parallel()

	for count, want := range map[int]time.Duration{0: 2 * answerTime, 100: 2 * answerTime, 101: 3 * answerTime} {
		t.Run(fmt.Sprintf("of_%d", count), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &backends{}
				for i := range count {
					b.payments = append(b.payments, fmt.Sprintf("pay_%d", i))
				}

				start := time.Now()

				got, err := page(t, b)
				if err != nil {
					t.Fatal(err)
				}

				if diff := cmp.Diff(complete(b.payments...), got, protocmp.Transform()); diff != "" {
					t.Error(diff)
				}

				if took := time.Since(start); took != want {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

// There is no page without the order, and nothing else is called.
func TestOrderIsRequired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &backends{fail: map[string]error{getOrder: status.Error(codes.PermissionDenied, "you may not access this order")}}

		_, err := page(t, b)
		if st, _ := status.FromError(err); st.Code() != codes.PermissionDenied || st.Message() != "you may not access this order" {
			t.Errorf("error %v", err)
		}

		if len(b.calls) != 1 {
			t.Errorf("called %v", b.calls)
		}
	})
}

func TestOptionalPartsMayBeMissing(t *testing.T) {
	t.Parallel()

	denied, gone := status.Error(codes.PermissionDenied, "not yours"), status.Error(codes.Unavailable, "dial tcp 10.0.0.1")
	part := func(name string, c code.Code, message string) *porticov1.PartialError {
		return &porticov1.PartialError{Part: name, Code: c, Message: message}
	}

	const notThere = "a service that is needed for the response is not available at the moment"

	for name, tt := range map[string]struct {
		fail    map[string]error
		missing []*porticov1.PartialError
	}{
		"payments": {map[string]error{getPayment: gone}, []*porticov1.PartialError{part("payments", code.Code_UNAVAILABLE, notThere)}},
		"notifications": {
			map[string]error{listNotifications: denied},
			[]*porticov1.PartialError{part("notifications", code.Code_PERMISSION_DENIED, "not yours")},
		},
		"all": {
			map[string]error{getPayment: gone, listNotifications: denied, getProfile: denied},
			[]*porticov1.PartialError{
				part("payments", code.Code_UNAVAILABLE, notThere),
				part("notifications", code.Code_PERMISSION_DENIED, "not yours"),
				part("buyer", code.Code_PERMISSION_DENIED, "not yours"),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got, err := page(t, &backends{fail: tt.fail, payments: []string{"pay_1", "pay_2"}})
				if err != nil {
					t.Fatal(err)
				}

				want := complete("pay_1", "pay_2")
				want.PartialErrors = tt.missing

				for _, missing := range tt.missing {
					field := want.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(missing.GetPart()))
					want.ProtoReflect().Clear(field)
				}

				if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestNewNamesEveryUpstreamThatIsMissing(t *testing.T) {
	t.Parallel()

	_, err := orderpage.New(func(name string) (grpc.ClientConnInterface, error) { return nil, fmt.Errorf("no %s", name) })
	if err == nil || slices.ContainsFunc([]string{"orderpage", "no order", "no payment", "no notification", "no profile"},
		func(part string) bool { return !strings.Contains(err.Error(), part) }) {
		t.Errorf("error %v", err)
	}
}
