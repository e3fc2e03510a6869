package peer_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/backends/internal/peer"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// users is a replica that counts its calls.
type users struct {
	userv1.UnimplementedUserServiceServer

	calls atomic.Int64
	code  codes.Code
	hangs bool
}

func (u *users) GetUser(ctx context.Context, _ *userv1.GetUserRequest) (*userv1.User, error) {
	u.calls.Add(1)

	if u.hangs {
		<-ctx.Done()
	}

	if u.code != codes.OK {
		return nil, status.Error(u.code, "no")
	}

	return &userv1.User{}, nil
}

func serve(t *testing.T, u *users) string {
	t.Helper()

	listener, server := listen(t), grpc.NewServer()
	userv1.RegisterUserServiceServer(server, u)

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return listener.Addr().String()
}

// listen gives a listener that accepts nothing: who connects waits, as for a process that was stopped.
func listen(t *testing.T) net.Listener {
	t.Helper()

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = listener.Close() })

	return listener
}

func dial(t *testing.T, addresses ...string) userv1.UserServiceClient {
	t.Helper()

	conn, err := peer.Dial(strings.Join(addresses, ","))
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})

	return userv1.NewUserServiceClient(conn)
}

func get(t *testing.T, client userv1.UserServiceClient) codes.Code {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	_, err := client.GetUser(ctx, &userv1.GetUserRequest{})

	return status.Code(err)
}

func TestCallsTakeReplicasInTurn(t *testing.T) {
	t.Parallel()

	one, other := &users{}, &users{}
	client := dial(t, serve(t, one), serve(t, other))

	// The first calls go to whichever is connected first.
	for calls := 0; one.calls.Load() == 0 || other.calls.Load() == 0; calls++ {
		if code := get(t, client); code != codes.OK {
			t.Fatalf("code %v after %d calls", code, calls)
		}
	}
}

// Replicas that are gone, hang or say that they do not serve get no calls.
func TestOnlyReplicasThatServeAreAsked(t *testing.T) {
	t.Parallel()

	gone := listen(t)
	_ = gone.Close()
	good := &users{}
	client := dial(t, listen(t).Addr().String(), gone.Addr().String(), serve(t, good))

	const calls = 100

	for range calls {
		if code := get(t, client); code != codes.OK {
			t.Fatalf("code %v", code)
		}
	}

	if got := good.calls.Load(); got != calls {
		t.Errorf("%d calls", got)
	}
}

func TestCallsAreMadeAgainIfNobodyAnswers(t *testing.T) {
	t.Parallel()

	for code, want := range map[codes.Code]int64{codes.Unavailable: 3, codes.NotFound: 1, codes.Internal: 1} {
		only := &users{code: code}

		if got := get(t, dial(t, serve(t, only))); got != code {
			t.Errorf("code %v, want %v", got, code)
		}

		if calls := only.calls.Load(); calls != want {
			t.Errorf("%v: %d calls, want %d", code, calls, want)
		}
	}
}

// Once, a call waited until its deadline for a process that was stopped while it was connected.
func TestCallsLeaveAReplicaThatHangs(t *testing.T) {
	t.Parallel()

	hung, good := &users{hangs: true}, &users{}
	client := dial(t, serve(t, hung), serve(t, good))

	for calls := 0; hung.calls.Load() == 0; calls++ {
		if code := get(t, client); code != codes.OK {
			t.Fatalf("code %v after %d calls", code, calls)
		}
	}
}
