package embedding_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// meeting notes what calls meet, in this order.
type meeting struct {
	mu  sync.Mutex
	met []string
}

func (m *meeting) note(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.met = append(m.met, what)
}

func (m *meeting) taken() []string {
	m.mu.Lock()
	defer m.mu.Unlock()

	met := m.met
	m.met = nil

	return met
}

// interceptor notes calls, adds metadata, and does what the header X-Try of the request says.
func (m *meeting) interceptor(name string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, rpc string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		md, _ := metadata.FromOutgoingContext(ctx)
		m.note(name)

		switch try := strings.Join(md.Get("x-try"), ""); {
		case name == "inner":
		case try == "panic":
			panic("an interceptor is broken")
		case try == "answer":
			return status.Error(codes.FailedPrecondition, "not today")
		}

		return next(metadata.AppendToOutgoingContext(ctx, "x-added", name), rpc, req, reply, cc, opts...)
	}
}

// attempts is a stats handler that notes attempts at calls.
type attempts struct {
	stats.Handler

	meeting *meeting
}

func (attempts) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (attempts) HandleConn(context.Context, stats.ConnStats)                       {}
func (attempts) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }

func (a attempts) HandleRPC(_ context.Context, s stats.RPCStats) {
	if _, begun := s.(*stats.Begin); begun {
		a.meeting.note("attempt")
	}
}

// Interceptors see a call once, with what the gateway says, and stats handlers see each attempt.
func TestDialOptions(t *testing.T) {
	t.Parallel()

	m, dialled := &meeting{}, make(chan string, 100)
	s := gatewaytest.Start(t, func(cfg *config.Config) { cfg.Headers.Request = []string{"X-Try"} },
		bff.WithDialOptions("user", grpc.WithChainUnaryInterceptor(m.interceptor("outer"), m.interceptor("inner")),
			grpc.WithStatsHandler(attempts{meeting: m})),
		bff.WithDialOptions("user", grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			dialled <- address

			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		})))

	alice := s.As(t, "alice")

	if res := s.Do(t, http.MethodGet, "/v1/users/alice", alice, ""); res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	if met := m.taken(); !slices.Equal(met, []string{"outer", "inner", "attempt"}) {
		t.Errorf("met %q", met)
	}

	calls := s.TakeCalls()
	if md := calls[0].Metadata; !slices.Equal(md.Get("x-added"), []string{"outer", "inner"}) || !slices.Equal(md.Get("x-portico-subject"), []string{"alice"}) {
		t.Errorf("metadata %v", md)
	}

	if address := <-dialled; address != s.Address {
		t.Errorf("dialled %s", address)
	}

	// A method that is called again.
	s.Fail["/user.v1.UserService/GetUser"] = status.Error(codes.Unavailable, "down")

	if res := s.Do(t, http.MethodGet, "/v1/users/alice", alice, ""); res.Status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	if met := m.taken(); len(met) < 4 || !slices.Equal(met[:2], []string{"outer", "inner"}) || slices.Contains(met[2:], "outer") {
		t.Errorf("met %q of a call with retries", met)
	}

	delete(s.Fail, "/user.v1.UserService/GetUser")
	s.TakeCalls()

	for try, want := range map[string]int{"panic": http.StatusInternalServerError, "answer": http.StatusBadRequest} {
		header := alice.Clone()
		header.Set("X-Try", try)

		if res := s.Do(t, http.MethodGet, "/v1/users/alice", header, ""); res.Status != want || len(s.TakeCalls()) > 0 {
			t.Errorf("%s: %d %s", try, res.Status, res.Body)
		}

		// A request that is not valid gets as far as no interceptor.
		if res := s.Do(t, http.MethodGet, "/v1/users/alice?x=1", header, ""); res.Status != http.StatusBadRequest {
			t.Errorf("%d %s", res.Status, res.Body)
		}
	}

	// Calls of composites are calls to the upstream, and other upstreams have no such options.
	m.taken()

	if res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"), ""); res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	if met := m.taken(); !slices.Equal(met, []string{"outer", "inner", "attempt"}) {
		t.Errorf("met %q of a composite", met)
	}
}

// brokenStream panics when it is used for the last time.
type brokenStream struct{ grpc.ClientStream }

func (brokenStream) CloseSend() error { panic("a stream is broken") }

// Once a stream of an interceptor panicked on a goroutine of generated code, the process would have ended.
func TestDialOptionsThatPanicInStreams(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, nil, nil, bff.WithDialOptions("every", grpc.WithChainStreamInterceptor(
		func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, rpc string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			if rpc == everyv1.EveryService_Collect_FullMethodName {
				panic("an interceptor of streams is broken")
			}

			stream, err := open(ctx, desc, cc, rpc, opts...)

			return brokenStream{stream}, errors.Join(err)
		})))

	for _, target := range []string{"/v1/collect", "/v1/talk"} {
		res := s.Do(t, http.MethodPost, target, nil, "[{}]")
		if !strings.Contains(res.Body, `"code":"INTERNAL"`) || strings.Contains(res.Body, "broken") {
			t.Errorf("%s: %d %s", target, res.Status, res.Body)
		}
	}
}
