package embedding_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// What is compiled once can be opened more than once, and each gateway has its own upstreams, background work and end.
func TestCompiledIsOpenedMoreThanOnce(t *testing.T) {
	t.Parallel()

	b := gatewaytest.StartBackend(t)
	compiled := gatewaytest.Compile(t, config.Config{
		Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{b.Address}}},
	}, gatewaytest.WithShelf(), gatewaytest.Quiet())
	before := compiled.Routes()

	open := func() *gatewaytest.Site {
		gw, err := gatewaytest.Open(t.Context(), t, compiled)
		if err != nil {
			t.Fatal(err)
		}

		return &gatewaytest.Site{Backend: b, Gateway: gw, URL: gatewaytest.Listen(t, gw)}
	}
	get := func(s *gatewaytest.Site) gatewaytest.Response {
		return s.Do(t, http.MethodGet, "/v1/shelves/s", nil, "")
	}

	first, second := open(), open()
	if got := get(first); got.Status != http.StatusOK {
		t.Errorf("the first: %d %s", got.Status, got.Body)
	}

	if err := first.Gateway.Close(); err != nil {
		t.Error(err)
	}

	if got := gatewaytest.AdminGet(t, second.Gateway, "/readyz"); got.Status != http.StatusOK {
		t.Errorf("the second, once the first is closed, is not ready: %s", got.Body)
	}

	for name, s := range map[string]*gatewaytest.Site{"second": second, "third": open()} {
		if got := get(s); got.Status != http.StatusOK {
			t.Errorf("the %s, once the first is closed: %d %s", name, got.Status, got.Body)
		}
	}

	if got := get(first); got.Status == http.StatusOK {
		t.Error("the first answers, though its connections are closed")
	}

	explained, err := compiled.Explain(t.Context(), httptest.NewRequest(http.MethodGet, "/v1/shelves/s", nil), bff.Principal{})
	if err != nil || !explained.Allowed() {
		t.Errorf("%v %+v", err, explained)
	}

	if diff := cmp.Diff(before, compiled.Routes(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

// Compile needs no credentials, upstreams and implementations, and reads no files; Open says what is missing.
func TestCompileNeedsLessThanOpen(t *testing.T) {
	t.Parallel()

	for want, cfg := range map[string]config.Config{
		"auth: needs issuers": {},
		"no/such/cert.pem": {
			Auth: config.Auth{Disabled: true}, Server: config.Server{TLS: config.ServerTLS{CertFile: "no/such/cert.pem", KeyFile: "no/such/key.pem"}},
			Upstreams: map[string]config.Upstream{"order": {Addresses: []string{"127.0.0.1:1"}}},
		},
		"upstreams.order: is not configured": {Auth: config.Auth{Disabled: true}},
		"log.level: \"loud\" is not":         {Auth: config.Auth{Disabled: true}, Log: config.Log{Level: "loud"}},
	} {
		compiled := gatewaytest.Compile(t, cfg, bff.WithServices(gatewaytest.Service(t, "order.v1.OrderService")), gatewaytest.Quiet())
		if len(compiled.Routes()) == 0 {
			t.Errorf("%s: no routes", want)
		}

		if _, err := compiled.OpenAPI(); err != nil {
			t.Errorf("%s: %v", want, err)
		}

		if _, err := compiled.Open(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open: %v, want %s", err, want)
		}
	}
}

// An Open that fails ends what it has begun: here, to watch the keys of an issuer. What goes on would be found at the end of the
// bubble.
func TestOpenThatFailsLeavesNothingRunning(t *testing.T) {
	t.Parallel()

	issuer, err := devissuer.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	compiled := gatewaytest.Compile(t, config.Config{Auth: config.Auth{Issuers: []config.Issuer{{
		Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience}, JWKSFile: issuer.JWKSFile(),
	}}}}, gatewaytest.Quiet(), bff.WithMetrics(fullRegisterer{prometheus.NewRegistry()}))

	synctest.Test(t, func(t *testing.T) {
		if _, err := compiled.Open(t.Context()); !errors.Is(err, errNotRegistered) {
			t.Errorf("got %v", err)
		}
	})
}

var errNotRegistered = errors.New("it is full")

type fullRegisterer struct{ prometheus.Registerer }

func (fullRegisterer) Register(prometheus.Collector) error { return errNotRegistered }
