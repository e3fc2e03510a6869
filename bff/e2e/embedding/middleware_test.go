package embedding_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// unwrapping is a writer that middleware has put around another.
type unwrapping struct{ http.ResponseWriter }

func (u unwrapping) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// tried is middleware that does what the header X-Try of a request says.
func tried(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Try") {
		case "answer":
			w.WriteHeader(http.StatusTeapot)
		case "refuse":
			bff.WriteError(w, r, status.Error(codes.FailedPrecondition, "closed for today"))
		case "panic":
			panic("middleware is broken")
		case "context":
			next.ServeHTTP(w, r.WithContext(context.Background()))
		case "new":
			other, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), nil)
			if err != nil {
				panic(err)
			}

			other.Header = r.Header
			next.ServeHTTP(w, other)
		case "twice":
			next.ServeHTTP(httptest.NewRecorder(), r)
			next.ServeHTTP(w, r)
		case "prefix":
			http.StripPrefix("/api", next).ServeHTTP(w, r)
		case "authenticate":
			r.Header.Set("Authorization", r.Header.Get("X-Token"))
			next.ServeHTTP(w, r)
		case "read":
			if tooLarge := (*http.MaxBytesError)(nil); !errors.As(errors.Join(readBody(r)), &tooLarge) {
				panic("the body is not limited")
			}

			next.ServeHTTP(w, r)
		default:
			next.ServeHTTP(unwrapping{w}, r)
		}
	})
}

func readBody(r *http.Request) error {
	_, err := io.Copy(io.Discard, r.Body)

	return err
}

// seen is middleware that notes what is known of requests when they are answered.
type seen struct {
	mu    sync.Mutex
	infos []bff.RequestInfo
}

func (s *seen) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Outermost", r.Header.Get("X-Try"))

		if before, ok := bff.RequestInfoFrom(r.Context()); !ok || before.ID == "" || before.Route != "" || !before.Client.IsValid() {
			panic("what is known before is wrong")
		}

		defer func() {
			info, _ := bff.RequestInfoFrom(r.Context())

			s.mu.Lock()
			defer s.mu.Unlock()

			s.infos = append(s.infos, info)
		}()

		next.ServeHTTP(w, r)
	})
}

// taken returns what was seen of the only request since.
func (s *seen) taken(t *testing.T) bff.RequestInfo {
	t.Helper()
	gatewaytest.Eventually(t, "the end of middleware", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()

		return len(s.infos) > 0
	})

	s.mu.Lock()
	defer s.mu.Unlock()

	if len(s.infos) != 1 {
		t.Fatalf("middleware saw %d requests", len(s.infos))
	}

	info := s.infos[0]
	s.infos = nil

	return info
}

func startWithMiddleware(t *testing.T) (*gatewaytest.Site, *seen) {
	t.Helper()
	gatewaytest.Exempt(t, "middleware answers what no document knows")

	outermost := &seen{}
	s := gatewaytest.Start(t, func(cfg *config.Config) {
		cfg.CORS.AllowedOrigins = []string{"https://app.example.com"}
		cfg.Limits.MaxBodyBytes = 1000
	}, bff.WithMiddleware(outermost.middleware, tried), gatewaytest.OwnPage(t, "/own", "text/plain", "page"))

	return s, outermost
}

func TestMiddlewareSeesEveryRequest(t *testing.T) {
	t.Parallel()

	s, outermost := startWithMiddleware(t)
	alice := s.As(t, "alice", "orders:read")

	for target, want := range map[string]bff.RequestInfo{
		"/v1/users/alice": {Route: "/v1/users/{user_id}", RPC: "user.v1.UserService/GetUser", Principal: bff.Principal{Subject: "alice"}},
		"/v1/users/bob":   {Route: "/v1/users/{user_id}", RPC: "user.v1.UserService/GetUser", Principal: bff.Principal{Subject: "alice"}},
		"/nowhere":        {Principal: bff.Principal{Subject: "alice"}},
		"/own":            {Route: "/own", Principal: bff.Principal{Subject: "alice"}},
	} {
		res := s.Do(t, http.MethodGet, target, alice, "")

		got := outermost.taken(t)
		if got.Route != want.Route || got.RPC != want.RPC || got.Principal.Subject != want.Principal.Subject ||
			got.Principal.Issuer == "" || got.ID != res.Header.Get("X-Request-Id") {
			t.Errorf("%s: %d, seen %+v", target, res.Status, got)
		}
	}

	if _, ok := bff.RequestInfoFrom(t.Context()); ok {
		t.Error("something is known of no request")
	}
}

func TestMiddlewareActs(t *testing.T) {
	t.Parallel()

	s, _ := startWithMiddleware(t)

	for _, row := range []struct {
		try, method, target, body string
		status                    int
		want                      string
	}{
		{"answer", http.MethodGet, "/v1/users/alice", "", http.StatusTeapot, ""},
		{"refuse", http.MethodGet, "/v1/users/alice", "", http.StatusBadRequest, `"detail":"closed for today"`},
		{"panic", http.MethodGet, "/v1/users/alice", "", http.StatusInternalServerError, `"code":"INTERNAL"`},
		{"context", http.MethodGet, "/v1/users/alice", "", http.StatusInternalServerError, `"code":"INTERNAL"`},
		{"twice", http.MethodGet, "/v1/users/alice", "", http.StatusInternalServerError, `"code":"INTERNAL"`},
		{"new", http.MethodGet, "/v1/echo/x", "", http.StatusOK, `"rest":"x"`},
		{"prefix", http.MethodGet, "/api/v1/echo/x", "", http.StatusOK, `"rest":"x"`},
		{"read", http.MethodPost, "/v1/orders", strings.Repeat("x", 1001), http.StatusRequestEntityTooLarge, `"code":"OUT_OF_RANGE"`},
		{"authenticate", http.MethodGet, "/v1/users/bob", "", http.StatusOK, `"userId":"bob"`},
		{"", http.MethodGet, "/v1/echo/x", "", http.StatusOK, `"rest":"x"`},
	} {
		header := s.As(t, "alice", "orders:read")
		header.Set("X-Try", row.try)
		header.Set("X-Token", "Bearer "+s.Token(t, "bob"))
		header.Set("Origin", "https://app.example.com")

		res := s.Do(t, row.method, row.target, header, row.body)
		if res.Status != row.status || !strings.Contains(res.Body, row.want) {
			t.Errorf("%s: %d %s", row.try, res.Status, res.Body)
		}

		// Pages of allowed origins can read it, and operators find it.
		if res.Header.Get("Access-Control-Allow-Origin") == "" || res.Header.Get("X-Content-Type-Options") != "nosniff" ||
			res.Header.Get("X-Outermost") != row.try {
			t.Errorf("%s: header %v", row.try, res.Header)
		}

		id := res.Header.Get("X-Request-Id")
		gatewaytest.Eventually(t, "a line of the log about "+row.try, func() bool { return strings.Contains(s.Logs.String(), `"msg":"request","request_id":"`+id) })
	}

	for _, want := range []string{"middleware is broken", "middleware passed on a request whose context is not made from that", "middleware called next twice"} {
		if !strings.Contains(s.Logs.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}

	if metrics := gatewaytest.AdminGet(t, s.Gateway, "/metrics").Body; !strings.Contains(metrics,
		`portico_http_requests_total{method="GET",route="none",status="418"} 1`) {
		t.Errorf("what middleware answers is not counted:\n%s", metrics)
	}
}

// A writer of middleware that can be unwrapped lets each message out at once.
func TestMiddlewareWrapsTheWriterOfStreams(t *testing.T) {
	t.Parallel()

	s, _ := startWithMiddleware(t)
	for version, s2 := range s.Versions(t) {
		ctx, leave := context.WithCancel(t.Context())

		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s2.URL+"/v1/shelves/endless/books", nil)
		if err != nil {
			t.Fatal(err)
		}

		req.Header = s.As(t, "alice")

		client := s2.Client
		if client == nil {
			client = http.DefaultClient
		}

		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}

		if line := gatewaytest.NextLine(t, bufio.NewReader(res.Body)); !strings.Contains(line, "Emma") {
			t.Errorf("%s: %q", version, line)
		}

		leave()

		_ = res.Body.Close()
	}
}

func TestMiddlewareRunsWithRun(t *testing.T) {
	t.Parallel()

	outermost, listening := &seen{}, make(chan net.Addr, 1)

	gw, err := bff.New(t.Context(), config.Config{
		Server: config.Server{Address: "127.0.0.1:0", DrainDelay: time.Nanosecond}, Admin: config.Admin{Address: config.AdminOff},
		Health: config.Health{Address: config.HealthOff}, Auth: config.Auth{Disabled: true},
	}, gatewaytest.Quiet(), bff.WithMiddleware(outermost.middleware), bff.WithListening(func(server, _ net.Addr) { listening <- server }))
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)

	go func() { ended <- gw.Run(ctx) }()

	res, err := http.Get("http://" + (<-listening).String() + "/")
	if err != nil {
		t.Fatal(err)
	}

	_ = res.Body.Close()

	if info := outermost.taken(t); info.ID != res.Header.Get("X-Request-Id") {
		t.Errorf("%+v", info)
	}

	stop()

	if err := <-ended; err != nil {
		t.Error(err)
	}
}

type valueKey struct{}

// What middleware puts into the context, such as the span of a trace, is there for all calls, also for those of composites.
func TestMiddlewareValuesReachCalls(t *testing.T) {
	t.Parallel()

	values := make(chan any, 10)
	s := gatewaytest.Start(t, nil,
		bff.WithMiddleware(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), valueKey{}, r.URL.Path)))
			})
		}),
		bff.WithDialOptions("user", grpc.WithChainUnaryInterceptor(
			func(ctx context.Context, rpc string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				values <- ctx.Value(valueKey{})

				return next(ctx, rpc, req, reply, cc, opts...)
			})))

	for _, path := range []string{"/v1/users/alice", "/v1/me/dashboard"} {
		if res := s.Do(t, http.MethodGet, path, s.As(t, "alice"), ""); res.Status != http.StatusOK {
			t.Errorf("%d %s", res.Status, res.Body)
		}

		if got := <-values; got != path {
			t.Errorf("%s: a call has the value %v", path, got)
		}
	}
}
