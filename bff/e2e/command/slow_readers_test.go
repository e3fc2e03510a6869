package command_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/gen"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// large is a user service with much to tell.
type large struct {
	userv1.UnimplementedUserServiceServer

	size int
}

func (l large) GetUser(context.Context, *userv1.GetUserRequest) (*userv1.User, error) {
	return &userv1.User{UserId: "alice", DisplayName: strings.Repeat("x", l.size)}, nil
}

// startLarge returns the configuration of a gateway before it.
func startLarge(t *testing.T, size int) string {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer()
	userv1.RegisterUserServiceServer(server, large{size: size})

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	var text strings.Builder

	// A busy machine takes its time over many large answers.
	_, _ = text.WriteString(`auth: {disabled: true}
policies: [{selector: user.v1.UserService.GetUser, set: {timeout: 600s}}]
upstreams:
`)

	for _, service := range gen.Services() {
		if !service.Composite && !strings.Contains(text.String(), "  "+service.Upstream+":") {
			_, _ = fmt.Fprintf(&text, "  %s: {addresses: [%q], max_receive_bytes: %d}\n",
				service.Upstream, listener.Addr().String(), 2*size)
		}
	}

	return text.String()
}

// Once, responses that clients read slowly stayed in memory long after the clients were gone. While memory is in use, nothing runs
// beside it.
func TestSlowReadersLeaveNoMemoryBehind(t *testing.T) {
	const (
		// The kernel has room for some megabytes on each connection to the same machine.
		size, clients = 4 << 20, 40
		held          = 100 << 10 // KiB, less than all of it.
		left          = 48 << 10
	)

	gateway := startServeOf(t, binary, writeFile(t, "portico.yaml", startLarge(t, size)))
	path := gateway.url + "/v1/users/alice"
	read := func() {
		res, err := http.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()

		if n, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK || n < size {
			t.Errorf("%s, %d bytes: %v", res.Status, n, err)
		}
	}

	read()

	idle := gateway.memory(t, "VmRSS")

	conns := make([]net.Conn, clients)

	for i := range conns {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(gateway.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}

		t.Cleanup(func() { _ = conn.Close() })

		conns[i] = conn

		_, _ = io.WriteString(conn, "GET /v1/users/alice HTTP/1.1\r\nHost: x\r\n\r\n")
	}

	within(t, "the answers waiting", func() bool { return gateway.memory(t, "VmRSS") > idle+held })
	read() // Others are served meanwhile.
	t.Logf("%d KiB before, %d at most", idle, gateway.peak(t))

	for _, conn := range conns {
		_ = conn.Close()
	}

	// The rest is waiting, until a process that is quiet returns memory, which may be beside other tests.
	t.Parallel()
	within(t, "the memory returned", func() bool { return gateway.memory(t, "VmRSS") < idle+left })
}

// within waits a minute for something that takes its time.
func within(t *testing.T, what string, condition func() bool) {
	t.Helper()

	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()

	for end := time.Now().Add(time.Minute); !condition(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen in time", what)
		}
	}
}
