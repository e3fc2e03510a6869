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
}

func (u *users) GetUser(context.Context, *userv1.GetUserRequest) (*userv1.User, error) {
	u.calls.Add(1)

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

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	_, err := client.GetUser(ctx, &userv1.GetUserRequest{})

	return status.Code(err)
}

func TestCallsTakeReplicasInTurn(t *testing.T) {
	t.Parallel()

	one, other := &users{}, &users{}
	client := dial(t, serve(t, one), serve(t, other))

	for range 10 {
		if code := get(t, client); code != codes.OK {
			t.Fatalf("code %v", code)
		}
	}

	// On a busy machine the first connection can take longer than an attempt.
	if one.calls.Load() < 3 || other.calls.Load() < 3 {
		t.Errorf("%d and %d calls", one.calls.Load(), other.calls.Load())
	}
}

// A backend in front of one that hung once failed every third call for 25 seconds.
func TestSilentReplicasAreLeftAlone(t *testing.T) {
	t.Parallel()

	gone := listen(t)
	_ = gone.Close()

	good := &users{}
	client := dial(t, listen(t).Addr().String(), gone.Addr().String(), serve(t, good))
	start := time.Now()

	const calls = 100
	for range calls {
		if code := get(t, client); code != codes.OK {
			t.Fatalf("code %v", code)
		}
	}

	// If none were left alone, the one that hangs alone would take 0.4 s of every third.
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("%d calls took %v", calls, took)
	}
}

func TestReplicasThatAnswerAreNotLeftAlone(t *testing.T) {
	t.Parallel()

	refusing, other := &users{code: codes.NotFound}, &users{code: codes.NotFound}
	client := dial(t, serve(t, refusing), serve(t, other))

	for range 4 {
		if code := get(t, client); code != codes.NotFound {
			t.Fatalf("code %v", code)
		}
	}

	if refusing.calls.Load() == 0 || other.calls.Load() == 0 {
		t.Errorf("%d and %d calls", refusing.calls.Load(), other.calls.Load())
	}
}

func TestOneReplicaIsAskedOnce(t *testing.T) {
	t.Parallel()

	only := &users{code: codes.Unavailable}

	if code := get(t, dial(t, serve(t, only))); code != codes.Unavailable {
		t.Errorf("code %v", code)
	}

	if calls := only.calls.Load(); calls != 1 {
		t.Errorf("%d calls", calls)
	}
}
