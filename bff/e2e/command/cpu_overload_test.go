package command_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// users replies at once.
type users struct {
	userv1.UnimplementedUserServiceServer
}

func (users) GetUser(_ context.Context, req *userv1.GetUserRequest) (*userv1.User, error) {
	return &userv1.User{UserId: req.GetUserId(), DisplayName: "Alice"}, nil
}

func serveUsers(t *testing.T) (address string) {
	t.Helper()

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer()
	userv1.RegisterUserServiceServer(server, users{})

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return listener.Addr().String()
}

// flood keeps a gateway busy over many connections, with several requests on each at a time, until the context ends.
type flood struct {
	served, refused, late atomic.Int64
	running               sync.WaitGroup
}

func (f *flood) start(ctx context.Context, t *testing.T, address string, connections int) {
	t.Helper()

	const batch = 8

	requests := strings.Repeat("GET /v1/users/alice HTTP/1.1\r\nHost: x\r\n\r\n", batch)

	for range connections {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}

		context.AfterFunc(ctx, func() { _ = conn.Close() })

		f.running.Go(func() {
			for responses := bufio.NewReader(conn); ctx.Err() == nil; {
				if _, err := io.WriteString(conn, requests); err != nil {
					return
				}

				for range batch {
					if err := f.count(responses); err != nil {
						if ctx.Err() == nil {
							t.Error(err)
						}

						return
					}
				}
			}
		})
	}
}

func (f *flood) count(responses *bufio.Reader) error {
	res, err := http.ReadResponse(responses, nil)
	if err != nil {
		return err
	}

	defer res.Body.Close()

	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}

	switch res.StatusCode {
	case http.StatusOK:
		f.served.Add(1)
	case http.StatusServiceUnavailable:
		f.refused.Add(1)
	case http.StatusGatewayTimeout:
		f.late.Add(1)
	default:
		return fmt.Errorf("neither served nor refused: %s", res.Status)
	}

	return nil
}

// A gateway that gets more requests than its CPU can handle refuses some, serves others, answers operators, and does not take its own
// delay for one of the backend. Once, it timed out calls, and opened the breaker of a healthy backend (hazard 34).
func TestOverloadOfTheCPU(t *testing.T) {
	t.Parallel()

	const refusals = `portico_overload_refused_total\{reason="cpu"\}`

	config := writeFile(t, "portico.yaml", "auth: {disabled: true}\n"+
		"limits: {client: {requests: 1000000, burst: 1000000}}\n"+
		"policies: [{selector: \"*\", set: {rate_limits: [{requests: 1000000, burst: 1000000}]}}]\n"+
		"upstreams:\n  user: {addresses: ["+serveUsers(t)+"]}\n  order: {addresses: [127.0.0.1:1]}\n  profile: {addresses: [127.0.0.1:1]}\n"+
		"  payment: {addresses: [127.0.0.1:1]}\n  notification: {addresses: [127.0.0.1:1]}\n")
	p := startPrepared(t, binary, func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1", "PORTICO_OVERLOAD_TARGET_DELAY=1ms")
	}, "serve", "--config", config)

	eventually(t, "the gateway listening", func() bool { return listening.MatchString(p.stderr.String()) })

	address := listening.FindStringSubmatch(p.stderr.String())[1]
	p.url = "http://" + address
	p.admin = "http://" + regexp.MustCompile(`"admin":"([^"]+)"`).FindStringSubmatch(p.stderr.String())[1]

	served := func() bool { return call(t, http.MethodGet, p.url+"/v1/users/alice", "", "").status == http.StatusOK }
	eventually(t, "a first response", served)

	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()

	var f flood

	f.start(ctx, t, address, 500)

	eventually(t, "refusals", func() bool { return p.metric(t, refusals) > 1000 && f.served.Load() > 0 })
	want(t, "liveness", call(t, http.MethodGet, p.admin+"/livez", "", ""), http.StatusOK)

	stop()
	f.running.Wait()

	eventually(t, "a response after the overload", served)

	if got := p.metric(t, `portico_upstream_breaker_state\{upstream="user"\}`); got != 0 {
		t.Errorf("the breaker is %v", got)
	}

	if strings.Contains(p.stderr.String(), "circuit breaker changed") {
		t.Error("a breaker has opened")
	}

	ok, refused, late := f.served.Load(), f.refused.Load(), f.late.Load()
	t.Logf("served %d, refused %d, timed out %d", ok, refused, late)

	// What is in progress times out while other processes use the CPU for seconds: one of 70 requests, with a load of 15 for each core.
	if late > (ok+refused)/10 {
		t.Errorf("%d requests timed out", late)
	}
}
