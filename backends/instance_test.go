package backends

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// A server whose listener had failed was once forgotten with its connections open: a stop did not wait for their calls.
func TestFailedListenerEndsItsConnections(t *testing.T) {
	t.Parallel()

	i := &instance{Instance: Instance{Name: "user-1", Service: "user", Address: "127.0.0.1:0"}, logger: slog.New(slog.DiscardHandler)}
	if err := i.listen(t.Context()); err != nil {
		t.Fatal(err)
	}

	listener := i.listener

	if err := i.start(t.Context(), func(grpc.ServiceRegistrar) {}); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(i.retire)

	conn, err := grpc.NewClient("passthrough:///"+i.status().Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = conn.Close() })

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	watch, err := healthv1.NewHealthClient(conn).Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}

	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}

	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}

	for err == nil {
		_, err = watch.Recv()
	}

	if status.Code(err) != codes.Unavailable {
		t.Errorf("the connection ended with %v", err)
	}
}
