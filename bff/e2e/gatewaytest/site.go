// Package gatewaytest is the harness of the end-to-end tests: gateways behind real listeners, over backends that record their calls, and
// the check that every exchange is as the OpenAPI document of its gateway says. Tests of a package call Main from their TestMain.
package gatewaytest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite/all"
	"github.com/portico-gateway/portico/bff/config"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
	"github.com/portico-gateway/portico/gen"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Site is a gateway behind a real listener, over one backend that plays all upstreams.
type Site struct {
	*Backend

	Compiled *bff.Compiled
	Gateway  *bff.Gateway
	URL      string
	Issuer   *devissuer.DevIssuer
	Logs     *LogBuffer
	// Client speaks another version of HTTP than 1.1. Nil: 1.1.
	Client *http.Client
	// StopBackend kills the backend of a mirror.
	StopBackend func()
}

// Upstream has the address, with as much time for replies to probes as a busy machine may need.
func Upstream(address string) config.Upstream {
	return config.Upstream{Addresses: []string{address}, Probe: config.Probe{Timeout: time.Minute}}
}

// Start serves the product's services and the foreign ones. change may alter the configuration.
func Start(t *testing.T, change func(*config.Config), opts ...bff.Option) *Site {
	t.Helper()

	return StartIn(t.Context(), t, change, opts...)
}

// StartIn is Start with the hooks of a context.
func StartIn(ctx context.Context, t *testing.T, change func(*config.Config), opts ...bff.Option) *Site {
	t.Helper()

	issuer, err := devissuer.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	s := &Site{Backend: StartBackend(t), Issuer: issuer, Logs: &LogBuffer{}}

	cfg := config.Config{
		Auth: config.Auth{Issuers: []config.Issuer{{
			Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience}, JWKSFile: issuer.JWKSFile(),
		}}},
		Upstreams: map[string]config.Upstream{"shelf": Upstream(s.Address)},
	}

	for _, service := range gen.Services() {
		if !service.Composite {
			cfg.Upstreams[service.Upstream] = Upstream(s.Address)
		}
	}

	if change != nil {
		change(&cfg)
	}

	document := sameAs(t, "product", cfg, opts...)

	opts = slices.Concat(all.Composites(), []bff.Option{
		bff.WithServices(gen.Services()...),
		bff.WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService"),
		bff.WithDefaultPolicy(&porticov1.MethodPolicy{Access: &porticov1.Access{Authenticated: true}}),
		bff.WithLogger(slog.New(slog.NewJSONHandler(s.Logs, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	}, opts)

	s.open(ctx, t, Compile(t, cfg, opts...), document)

	return s
}

// Serve serves a compiled gateway.
func Serve(t *testing.T, compiled *bff.Compiled) *Site {
	t.Helper()

	s := &Site{}
	s.open(t.Context(), t, compiled, "")

	return s
}

func (s *Site) open(ctx context.Context, t *testing.T, compiled *bff.Compiled, document string) {
	t.Helper()

	gw, err := compiled.Open(checkedContext(ctx, t, compiled, document))
	if err != nil {
		t.Fatal(err)
	}

	s.Compiled, s.Gateway, s.URL = compiled, gw, Listen(t, gw)
}

// Listen listens for the gateway and closes it at the end of the test.
func Listen(t *testing.T, gw *bff.Gateway) string {
	t.Helper()

	server := httptest.NewServer(gw)

	t.Cleanup(func() {
		// Streams that a test left open end with the gateway.
		gw.Drain()
		server.Close()

		if err := gw.Close(); err != nil {
			t.Error(err)
		}
	})

	return server.URL
}

// LogBuffer collects log lines.
type LogBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *LogBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.Write(p)
}

func (l *LogBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.String()
}

// Token returns a token of a subject.
func (s *Site) Token(t *testing.T, subject string, scopes ...string) string {
	t.Helper()

	token, err := s.Issuer.Token(subject, scopes, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}

	return token
}

// As returns the header of a caller.
func (s *Site) As(t *testing.T, subject string, scopes ...string) http.Header {
	t.Helper()

	return http.Header{"Authorization": {"Bearer " + s.Token(t, subject, scopes...)}}
}
