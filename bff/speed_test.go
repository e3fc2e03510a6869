package bff_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
	"github.com/portico-gateway/portico/gen"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// users is a backend that costs as little as it can, since it runs in the process that is measured.
type users struct {
	userv1.UnimplementedUserServiceServer
}

func (users) GetUser(_ context.Context, req *userv1.GetUserRequest) (*userv1.User, error) {
	return &userv1.User{UserId: req.GetUserId(), DisplayName: "Ada Lovelace", Email: "ada@example.org"}, nil
}

// speedway is a gateway with all that production has: tokens, limits, metrics, a breaker, and an access log to a file.
type speedway struct {
	gw     *bff.Gateway
	issuer *devissuer.DevIssuer
}

func startSpeedway(b *testing.B, change func(*config.Config)) *speedway {
	b.Helper()

	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}

	server := grpc.NewServer()
	userv1.RegisterUserServiceServer(server, users{})
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	b.Cleanup(server.Stop)

	issuer, err := devissuer.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}

	log, err := os.Create(filepath.Join(b.TempDir(), "access.log"))
	if err != nil {
		b.Fatal(err)
	}

	b.Cleanup(func() { _ = log.Close() })

	cfg := config.Config{
		Auth: config.Auth{Issuers: []config.Issuer{{
			Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience}, JWKSFile: issuer.JWKSFile(),
		}}},
		Upstreams: map[string]config.Upstream{"user": {Addresses: []string{listener.Addr().String()}}},
	}
	// Checked for each request, and never reached.
	unlimited(&cfg)

	if change != nil {
		change(&cfg)
	}

	var services []gen.Service

	for _, s := range gen.Services() {
		if s.Upstream == "user" {
			services = append(services, s)
		}
	}

	gw, err := bff.New(b.Context(), cfg, bff.WithServices(services...), bff.WithLogger(slog.New(slog.NewJSONHandler(log, nil))))
	if err != nil {
		b.Fatal(err)
	}

	b.Cleanup(func() {
		if err := gw.Close(); err != nil {
			b.Error(err)
		}
	})

	return &speedway{gw: gw, issuer: issuer}
}

// setPolicy overrides what the schema says of a method, or with "*" of all.
func setPolicy(c *config.Config, selector string, set map[string]any) {
	c.Policies = append(c.Policies, config.Policy{Selector: selector, Set: set})
}

// unlimited has limits that no test reaches.
func unlimited(c *config.Config) {
	c.Limits.Client = config.Rate{Requests: 1e6, Burst: 1e6}
	setPolicy(c, "*", map[string]any{"rate_limits": []any{map[string]any{"requests": 1e6}}})
}

// token of the user whose account is asked for.
func (s *speedway) token(b *testing.B) string {
	b.Helper()

	token, err := s.issuer.Token("ada", []string{"users:read"}, time.Hour, time.Now())
	if err != nil {
		b.Fatal(err)
	}

	return token
}

// sink is the writer of an answer that nobody reads.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header { return s.header }

func (s *sink) Write(p []byte) (int, error) {
	s.WriteHeader(http.StatusOK)

	return len(p), nil
}

func (s *sink) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
}

// The deadlines of the connection, as net/http has them.
func (*sink) SetReadDeadline(time.Time) error  { return nil }
func (*sink) SetWriteDeadline(time.Time) error { return nil }

// payload is a request, and the answer that it must get.
type payload struct {
	name, authorization string
	change              func(*config.Config)
	status              int
}

// payloads are those of issue 6 that this package can make by itself, each with its gateway.
func payloads() []payload {
	return []payload{
		{name: "small", status: http.StatusOK},
		{
			name: "hit", status: http.StatusOK,
			change: func(c *config.Config) {
				setPolicy(c, "user.v1.UserService.GetUser", map[string]any{"cache": map[string]any{"ttl": "600s"}})
			},
		},
		{name: "401", authorization: "Bearer forged.forged.forged", status: http.StatusUnauthorized},
		{
			name: "429", status: http.StatusTooManyRequests,
			change: func(c *config.Config) {
				setPolicy(c, "*", map[string]any{"rate_limits": []any{map[string]any{"requests": 1, "per": "3600s"}}})
			},
		},
	}
}

// BenchmarkHandler is what answering costs, net/http aside. Of small, a part is that of the backend, which runs in this process too.
func BenchmarkHandler(b *testing.B) {
	for _, p := range payloads() {
		b.Run(p.name, func(b *testing.B) {
			s := startSpeedway(b, p.change)
			header := p.header(b, s)

			request := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/users/ada", nil)

			serve := func() int {
				// As net/http gives it: a header of its own for each request.
				r := *request
				r.Header = header.Clone()
				w := &sink{header: http.Header{}}
				s.gw.ServeHTTP(w, &r)

				return w.status
			}

			// The first one connects, is cached, and uses up what there is.
			serve()
			b.ReportAllocs()

			for b.Loop() {
				if got := serve(); got != p.status {
					b.Fatalf("answered %d", got)
				}
			}
		})
	}
}

// BenchmarkServed is the same over a connection, whose other end costs little. It is for profiles.
func BenchmarkServed(b *testing.B) {
	for _, p := range payloads() {
		b.Run(p.name, func(b *testing.B) {
			s := startSpeedway(b, p.change)
			server := httptest.NewServer(s.gw)
			b.Cleanup(server.Close)

			conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", server.Listener.Addr().String())
			if err != nil {
				b.Fatal(err)
			}

			b.Cleanup(func() { _ = conn.Close() })

			request := "GET /v1/users/ada HTTP/1.1\r\nHost: api.example.org\r\n"
			for name, values := range p.header(b, s) {
				request += fmt.Sprintf("%s: %s\r\n", name, values[0])
			}

			request += "\r\n"
			answers := bufio.NewReader(conn)

			ask := func() int {
				if _, err := io.WriteString(conn, request); err != nil {
					b.Fatal(err)
				}

				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					b.Fatal(err)
				}

				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					b.Fatal(err)
				}

				if err := resp.Body.Close(); err != nil {
					b.Fatal(err)
				}

				return resp.StatusCode
			}

			ask()
			b.ReportAllocs()

			for b.Loop() {
				if got := ask(); got != p.status {
					b.Fatalf("answered %d", got)
				}
			}
		})
	}
}

// header is what a client sends, some fields that mean nothing here included.
func (p payload) header(b *testing.B, s *speedway) http.Header {
	b.Helper()

	authorization := p.authorization
	if authorization == "" {
		authorization = "Bearer " + s.token(b)
	}

	return http.Header{
		"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}, "Authorization": {authorization},
		"User-Agent": {"speed/1.0"}, "X-Request-Id": {"0b9c5a1e-7f0e-4d53-9f8e-0d0c5a1e7f0e"},
	}
}
