package reload_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// site is a gateway with the configuration that it was started with.
type site struct {
	*gatewaytest.Site

	backend *backend
	config  config.Config
	// keyFetches is how many times the keys of the issuer were fetched.
	keyFetches *atomic.Int64
}

func start(t *testing.T, change func(*config.Config), opts ...bff.Option) *site {
	t.Helper()
	gatewaytest.Exempt(t, "the document is that of the first configuration")

	s := &site{backend: startBackend(t), keyFetches: &atomic.Int64{}}
	keys := httptest.NewUnstartedServer(nil)

	s.Site = gatewaytest.Start(t, func(c *config.Config) {
		file := c.Auth.Issuers[0].JWKSFile
		keys.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.keyFetches.Add(1)
			http.ServeFile(w, r, file)
		})
		keys.Start()
		t.Cleanup(keys.Close)

		c.Auth.Issuers[0].JWKSFile, c.Auth.Issuers[0].JWKSURL = "", keys.URL
		c.Overload.TargetDelay = time.Hour
		gatewaytest.Unlimited(c)

		for name := range c.Upstreams {
			c.Upstreams[name] = gatewaytest.Upstream(s.backend.Address)
		}

		if change != nil {
			change(c)
		}

		s.config = *c
	}, opts...)
	s.Backend = s.backend.Backend

	return s
}

// changed returns the first configuration with a change.
func (s *site) changed(change func(*config.Config)) config.Config {
	c := s.config
	c.Upstreams, c.Policies = maps.Clone(c.Upstreams), slices.Clone(c.Policies)
	c.Auth.Issuers = slices.Clone(c.Auth.Issuers)
	change(&c)

	return c
}

// reload reloads with a change of the first configuration.
func (s *site) reload(t *testing.T, change func(*config.Config)) {
	t.Helper()

	if err := s.Gateway.Reload(t.Context(), s.changed(change)); err != nil {
		t.Fatal(err)
	}
}

// metric returns the line of one without labels.
func (s *site) metric(t *testing.T, name string) string {
	t.Helper()

	for line := range strings.Lines(gatewaytest.AdminGet(t, s.Gateway, "/metrics").Body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}

	return ""
}

func (s *site) wantMetric(t *testing.T, name, want string) {
	t.Helper()

	if got := s.metric(t, name); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

func (s *site) wantStatus(t *testing.T, want int, method, target string, header http.Header) gatewaytest.Response {
	t.Helper()

	body := ""
	if method == http.MethodPatch {
		body = `{"displayName":"Alice"}`
	}

	if method == http.MethodPost {
		body = gatewaytest.AnOrder
	}

	res := s.Do(t, method, target, header, body)
	if res.Status != want {
		t.Errorf("%s %s: %d %s, want %d", method, target, res.Status, res.Body, want)
	}

	return res
}

// anotherIssuer is one whose keys are in a file.
func anotherIssuer(t *testing.T) (*devissuer.DevIssuer, config.Issuer) {
	t.Helper()

	issuer, err := devissuer.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	return issuer, config.Issuer{
		Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience}, JWKSFile: issuer.JWKSFile(),
	}
}
