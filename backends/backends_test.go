package backends_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/portico-gateway/portico/backends"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func ExampleStart() {
	dir, err := os.MkdirTemp("", "backends")
	if err != nil {
		fmt.Println(err)

		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	fleet, err := backends.Start(context.Background(), backends.Options{
		DataDir:   dir,
		Instances: []backends.Instance{{Name: "user-1", Service: "user", Address: "127.0.0.1:0"}},
	})
	if err != nil {
		fmt.Println(err)

		return
	}
	defer func() { _ = fleet.Close() }()

	fmt.Println(fleet.Instances()[0].Name, fleet.Instances()[0].Running)
	// Output: user-1 true
}

func TestStartRefusesWhatCannotRun(t *testing.T) {
	t.Parallel()

	taken := takenPort(t).Addr().String()

	tests := map[string]struct {
		instances []backends.Instance
		want      []string
	}{
		"unknown_service":  {[]backends.Instance{{Name: "x-1", Service: "x", Address: "127.0.0.1:0"}}, []string{`"x-1"`, `"x"`}},
		"taken_port":       {[]backends.Instance{{Name: "user-1", Service: "user", Address: taken}}, []string{"user-1", taken}},
		"missing_upstream": {anyPort("order"), []string{"order", "user service"}},
		"name_twice":       {append(anyPort("user"), anyPort("user")...), []string{"unique"}},
		"misleading_name":  {[]backends.Instance{{Name: "order", Service: "user", Address: "127.0.0.1:0"}}, []string{`"order"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fleet, err := backends.Start(t.Context(), backends.Options{DataDir: t.TempDir(), Instances: test.instances})
			if err == nil {
				_ = fleet.Close()
				t.Fatal("it started")
			}

			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not name %s", err, want)
				}
			}
		})
	}
}

func TestDataDirectoryIsPrivate(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "a", "data")
	startFleet(t, backends.Options{DataDir: dir, Instances: anyPort("user")})

	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}

	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("mode is %o, want 700", got)
	}

	if _, err := os.Stat(filepath.Join(dir, "user.db")); err != nil {
		t.Error(err)
	}
}

func TestStopAndStartInstances(t *testing.T) {
	t.Parallel()

	fleet := startFleet(t, backends.Options{DataDir: t.TempDir(), Instances: anyPort("user", "profile"), Seed: true})
	before := fleet.Addresses()
	client := userv1.NewUserServiceClient(dial(t, fleet, "user"))
	running := func() map[string]bool {
		byName := make(map[string]bool)
		for _, s := range fleet.Instances() {
			byName[s.Name] = s.Running
		}

		return byName
	}

	steps := []struct {
		name                string
		do                  func(string) error
		on                  string
		user1, user2, other bool
	}{
		{"stop_one", fleet.StopInstance, "user-1", false, true, true},
		{"stop_it_again", fleet.StopInstance, "user-1", false, true, true},
		{"stop_service", fleet.StopInstance, "user", false, false, true},
		{"start_service", fleet.StartInstance, "user", true, true, true},
		{"start_it_again", fleet.StartInstance, "user-2", true, true, true},
	}
	for _, step := range steps {
		if err := step.do(step.on); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}

		want := map[string]bool{"user-1": step.user1, "user-2": step.user2, "profile-1": step.other}
		if diff := cmp.Diff(want, running()); diff != "" {
			t.Errorf("%s: running (-want +got):\n%s", step.name, diff)
		}

		if diff := cmp.Diff(before, fleet.Addresses()); diff != "" {
			t.Errorf("%s: addresses moved:\n%s", step.name, diff)
		}
	}

	must[*userv1.User](t)(client.GetUser(as(t, "alice"), &userv1.GetUserRequest{UserId: "alice"}))

	for _, do := range []func(string) error{fleet.StopInstance, fleet.StartInstance} {
		if err := do("nobody"); !errors.Is(err, backends.ErrUnknownInstance) {
			t.Errorf("unknown instance gives %v", err)
		}
	}
}

func TestReplicasShareTheirData(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	must[*userv1.User](t)(w.users.CreateUser(as(t, "admin", "users:admin"),
		&userv1.CreateUserRequest{UserId: "carol", Email: "carol@example.com", DisplayName: "Carol"}))

	second := userv1.NewUserServiceClient(dialAddress(t, w.fleet.Addresses()["user"][1]))
	must[*userv1.User](t)(second.GetUser(as(t, "carol"), &userv1.GetUserRequest{UserId: "carol"}))
}

func TestRestartKeepsDataAndSeedsOnce(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	first := startWorld(t, dir)
	placed := first.placeOrder(t)

	if _, err := first.users.DeleteUser(as(t, "bob"), &userv1.DeleteUserRequest{UserId: "bob"}); err != nil {
		t.Fatal(err)
	}

	if err := first.fleet.Close(); err != nil {
		t.Fatal(err)
	}

	second := startWorld(t, dir)
	kept := must[*orderv1.Order](t)(second.orders.GetOrder(as(t, "alice"), &orderv1.GetOrderRequest{OrderId: placed.GetOrderId()}))

	if diff := cmp.Diff(placed, kept, protocmp.Transform()); diff != "" {
		t.Errorf("the order changed over the restart:\n%s", diff)
	}

	_, err := second.users.GetUser(as(t, "bob"), &userv1.GetUserRequest{UserId: "bob"})
	wantCode(t, err, codes.NotFound)
}

func TestHealthAndWatchOnStop(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	conn := dial(t, w.fleet, "order")
	health := healthv1.NewHealthClient(conn)

	for _, service := range []string{"", "order.v1.OrderService"} {
		resp := must[*healthv1.HealthCheckResponse](t)(health.Check(nobody(t), &healthv1.HealthCheckRequest{Service: service}))
		if resp.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("service %q is %v", service, resp.GetStatus())
		}
	}

	watch, err := orderv1.NewOrderServiceClient(conn).WatchOrder(as(t, "alice"),
		&orderv1.WatchOrderRequest{OrderId: w.placeOrder(t).GetOrderId()})
	if err != nil {
		t.Fatal(err)
	}

	must[*orderv1.WatchOrderResponse](t)(watch.Recv())

	start := time.Now()

	if err := w.fleet.StopInstance("order"); err != nil {
		t.Fatal(err)
	}

	// The bound of a graceful stop is two seconds: a watch must not use it up.
	if took := time.Since(start); took > 1500*time.Millisecond {
		t.Errorf("the stop took %v", took)
	}

	_, err = watch.Recv()
	wantCode(t, err, codes.Unavailable)

	_, err = health.Check(nobody(t), &healthv1.HealthCheckRequest{}, grpc.WaitForReady(false))
	wantCode(t, err, codes.Unavailable)
}

func TestCloseTwice(t *testing.T) {
	t.Parallel()

	fleet := startFleet(t, backends.Options{DataDir: t.TempDir(), Instances: anyPort("user")})
	if err := errors.Join(fleet.Close(), fleet.Close()); err != nil {
		t.Error(err)
	}

	if err := fleet.StartInstance("user-1"); err == nil {
		t.Error("a closed fleet started an instance")
	}
}
