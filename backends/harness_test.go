package backends_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/backends"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// patience is for what happens in the background.
const patience = 15 * time.Second

// world is a fleet of all services with clients for them.
type world struct {
	fleet         *backends.Fleet
	users         userv1.UserServiceClient
	profiles      profilev1.ProfileServiceClient
	orders        orderv1.OrderServiceClient
	payments      paymentv1.PaymentServiceClient
	notifications notificationv1.NotificationServiceClient
}

// newWorld starts all services, two of user, over a copy of the demo data.
func newWorld(t *testing.T) *world {
	t.Helper()

	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(demoData)); err != nil {
		t.Fatal(err)
	}

	return startWorld(t, dir)
}

// demoData is a folder with the databases of all services. To make them takes longer than most tests.
var demoData string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "backends")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)

		return 1
	}
	defer os.RemoveAll(dir)

	fleet, err := backends.Start(context.Background(), backends.Options{DataDir: dir, Instances: anyPort(), Seed: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)

		return 1
	}

	if err := fleet.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close:", err)

		return 1
	}

	demoData = dir

	return m.Run()
}

func startWorld(t *testing.T, dir string) *world {
	t.Helper()

	fleet := startFleet(t, backends.Options{DataDir: dir, Instances: anyPort(), Seed: true})

	return &world{
		fleet:         fleet,
		users:         userv1.NewUserServiceClient(dial(t, fleet, "user")),
		profiles:      profilev1.NewProfileServiceClient(dial(t, fleet, "profile")),
		orders:        orderv1.NewOrderServiceClient(dial(t, fleet, "order")),
		payments:      paymentv1.NewPaymentServiceClient(dial(t, fleet, "payment")),
		notifications: notificationv1.NewNotificationServiceClient(dial(t, fleet, "notification")),
	}
}

func startFleet(t *testing.T, opts backends.Options) *backends.Fleet {
	t.Helper()

	fleet, err := backends.Start(t.Context(), opts)
	if err != nil {
		t.Fatalf("start: %v", err)
	}

	t.Cleanup(func() {
		if err := fleet.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})

	return fleet
}

// anyPort gives the default instances of services on free ports.
func anyPort(services ...string) []backends.Instance {
	instances := backends.DefaultInstances(backends.DefaultPort, services...)
	for i := range instances {
		instances[i].Address = "127.0.0.1:0"
	}

	return instances
}

func dial(t *testing.T, fleet *backends.Fleet, service string) *grpc.ClientConn {
	t.Helper()

	return dialAddress(t, fleet.Addresses()[service][0])
}

func dialAddress(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()

	// A call waits for a server that is being restarted.
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatalf("dial %s: %v", address, err)
	}

	t.Cleanup(func() { _ = conn.Close() })

	return conn
}

// as gives the context of a call by a subject with scopes. It ends with the test or after a while.
func as(t *testing.T, subject string, scopes ...string) context.Context {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)

	var joined string
	for _, scope := range scopes {
		joined += scope + " "
	}

	return metadata.AppendToOutgoingContext(ctx, "x-portico-subject", subject, "x-portico-scopes", joined, "x-request-id", t.Name())
}

// nobody gives the context of a call without an identity.
func nobody(t *testing.T) context.Context {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)

	return ctx
}

func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()

	if got := status.Code(err); got != want {
		t.Errorf("code is %v, want %v (%v)", got, want, err)
	}
}

// wantFields wants INVALID_ARGUMENT that names the fields, and no others.
func wantFields(t *testing.T, err error, fields ...string) {
	t.Helper()
	wantCode(t, err, codes.InvalidArgument)

	var got []string

	for _, detail := range status.Convert(err).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				got = append(got, v.GetField())
			}
		}
	}

	if !slices.Equal(got, fields) {
		t.Errorf("violations of %q, want %q (%v)", got, fields, err)
	}
}

// must returns the response of a call that has to succeed.
func must[T any](t *testing.T) func(T, error) T {
	t.Helper()

	return func(response T, err error) T {
		t.Helper()

		if err != nil {
			t.Fatalf("call: %v", err)
		}

		return response
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()

	deadline := time.NewTimer(patience)
	defer deadline.Stop()

	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()

	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		case <-again.C:
		}
	}
}

func euros(units int64, nanos int32) *moneyv1.Money {
	return &moneyv1.Money{CurrencyCode: "EUR", Units: units, Nanos: nanos}
}

// placeOrder places alice's order over 10 EUR.
func (w *world) placeOrder(t *testing.T) *orderv1.Order {
	t.Helper()

	return must[*orderv1.Order](t)(w.orders.CreateOrder(as(t, "alice"), &orderv1.CreateOrderRequest{
		Items: []*orderv1.LineItem{{Sku: "TEA", Title: "Tea", Quantity: 4, UnitPrice: euros(2, 500_000_000)}},
	}))
}

// notified lists what a user was told of an order, newest first.
func (w *world) notified(t *testing.T, userID, orderID string) []*notificationv1.Notification {
	t.Helper()

	resp := must[*notificationv1.ListNotificationsResponse](t)(w.notifications.ListNotifications(as(t, userID),
		&notificationv1.ListNotificationsRequest{UserId: userID, PageSize: 100}))

	return slices.DeleteFunc(resp.GetNotifications(), func(n *notificationv1.Notification) bool {
		return n.GetData()["order_id"] != orderID
	})
}

// takenPort gives a listener that nobody else can have the port of.
func takenPort(t *testing.T) net.Listener {
	t.Helper()

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}

	t.Cleanup(func() { _ = listener.Close() })

	return listener
}
