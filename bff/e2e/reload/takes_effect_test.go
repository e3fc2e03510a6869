package reload_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
)

// Who is not trusted any more is refused from the return of Reload on, also with a token that was verified before.
func TestRemovedCredentialsAreRefused(t *testing.T) {
	t.Parallel()

	keys, key := newKeyFile(t)
	s := start(t, func(c *config.Config) { c.Auth.APIKeys.File = keys })
	alice := s.As(t, "alice")
	machine := http.Header{"X-Api-Key": {key}}

	s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice", alice)
	s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/machine", machine)

	other, trusted := anotherIssuer(t)
	s.reload(t, func(c *config.Config) {
		c.Auth.Issuers[0], c.Auth.APIKeys.File = trusted, ""
	})
	s.wantStatus(t, http.StatusUnauthorized, http.MethodGet, "/v1/users/alice", alice)
	s.wantStatus(t, http.StatusUnauthorized, http.MethodGet, "/v1/users/machine", machine)

	token, err := other.Token("alice", nil, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}

	s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice", http.Header{"Authorization": {"Bearer " + token}})

	s.reload(t, func(*config.Config) {})
	s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice", alice)
	s.wantStatus(t, http.StatusUnauthorized, http.MethodGet, "/v1/users/alice", http.Header{"Authorization": {"Bearer " + token}})
}

// newKeyFile writes a file with one API key.
func newKeyFile(t *testing.T) (path, key string) {
	t.Helper()

	path = filepath.Join(t.TempDir(), "keys.yaml")
	key, id := apikey.New()

	text := "keys:\n- {id: " + id + ", sha256: " + apikey.Hash(key) + ", subject: machine}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	return path, key
}

func TestSettingsTakeEffect(t *testing.T) {
	t.Parallel()

	s := start(t, nil)
	header := s.As(t, "alice")
	header.Set("Origin", "https://app.example")

	get := func() gatewaytest.Response {
		return s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice/profile", header)
	}
	if res := get(); res.Header.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(res.Body, "userId") {
		t.Errorf("%v %s", res.Header, res.Body)
	}

	s.reload(t, func(c *config.Config) {
		c.CORS.AllowedOrigins = []string{"https://app.example"}
		c.JSON.Names = config.NamesProto
		c.Server.ServerTiming = true
	})

	// A cached response with other names would be wrong.
	if res := get(); res.Header.Get("Access-Control-Allow-Origin") != "https://app.example" ||
		!strings.Contains(res.Body, "user_id") || res.Header.Get("Server-Timing") == "" {
		t.Errorf("%v %s", res.Header, res.Body)
	}

	s.reload(t, func(c *config.Config) {
		gatewaytest.SetPolicy(c, "user.v1.UserService.GetUser", gatewaytest.Object{
			"rate_limits": []any{gatewaytest.Object{"requests": 1, "daily": true}},
		})
	})
	s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice", header)
	s.wantStatus(t, http.StatusTooManyRequests, http.MethodGet, "/v1/users/alice", header)

	s.reload(t, func(c *config.Config) {
		gatewaytest.SetPolicy(c, "user.v1.UserService.GetUser", gatewaytest.Object{
			"rate_limits": []any{gatewaytest.Object{"requests": 2, "daily": true}},
		})
	})
	// The quota is another one, but what was taken from it stays taken.
	s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice", header)
	s.wantStatus(t, http.StatusTooManyRequests, http.MethodGet, "/v1/users/alice", header)

	s.reload(t, func(c *config.Config) { c.Auth.Disabled = true })
	s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/bob/orders", nil)
	s.reload(t, func(*config.Config) {})
	s.wantStatus(t, http.StatusUnauthorized, http.MethodGet, "/v1/users/bob/orders", nil)
}

// An open breaker stays open, also if something else of the upstream changes, and so does the connection if nothing does.
func TestBreakerSurvives(t *testing.T) {
	t.Parallel()

	s := start(t, func(c *config.Config) {
		u := c.Upstreams["user"]
		u.Breaker = config.Breaker{FailureRatio: 1, MinRequests: 1, Window: time.Hour, OpenFor: time.Hour}
		c.Upstreams["user"] = u
		gatewaytest.SetPolicy(c, "user.v1.UserService.GetUser", gatewaytest.Object{"retry": gatewaytest.Object{"max_attempts": 1}})
	})
	header := s.As(t, "alice")

	s.backend.Fail = map[string]error{gatewaytest.RPCGetUser: status.Error(codes.Unavailable, "down")}
	s.wantStatus(t, http.StatusServiceUnavailable, http.MethodGet, "/v1/users/alice", header)
	s.backend.Fail = nil
	s.TakeCalls()

	s.reload(t, func(c *config.Config) { c.Server.ServerTiming = true })
	s.wantStatus(t, http.StatusServiceUnavailable, http.MethodGet, "/v1/users/alice", header)

	s.reload(t, func(c *config.Config) {
		u := c.Upstreams["user"]
		u.MaxReceiveBytes = 1 << 20
		c.Upstreams["user"] = u
	})
	s.wantStatus(t, http.StatusServiceUnavailable, http.MethodGet, "/v1/users/alice", header)

	if n := s.Count(); n > 0 {
		t.Errorf("%d calls passed the breaker", n)
	}

	s.reload(t, func(c *config.Config) {
		u := c.Upstreams["user"]
		u.Breaker.OpenFor = time.Minute
		c.Upstreams["user"] = u
	})
	s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice", header)
}

// A gateway that serves stays ready if a reload adds an issuer that is down.
func TestReadyWithANewIssuerThatIsDown(t *testing.T) {
	t.Parallel()

	s := start(t, nil)
	ready := func() int { return gatewaytest.AdminGet(t, s.Gateway, "/readyz").Status }
	gatewaytest.Eventually(t, "readiness", func() bool { return ready() == http.StatusOK })

	s.reload(t, func(c *config.Config) {
		c.Auth.Issuers = append(c.Auth.Issuers, config.Issuer{
			Issuer: "https://down.example", Audiences: []string{"x"}, JWKSURL: "http://127.0.0.1:1/keys",
		})
	})

	if got := ready(); got != http.StatusOK {
		t.Errorf("readiness %d", got)
	}
}
