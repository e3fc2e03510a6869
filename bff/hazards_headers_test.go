package bff_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
)

// Once, the client's Authorization, cookies and X-Forwarded-… reached backends, and so did identity headers of its own making.
func TestHazard08BackendsGetTheGatewaysMetadataAlone(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)

	spoofed := s.as(t, "alice", "orders:read")
	for _, name := range []string{"x-portico-subject", "x-portico-scopes", "x-portico-client-address"} {
		underscored := strings.ReplaceAll(name, "-", "_")
		for _, variant := range []string{
			name, strings.ToUpper(name), underscored, "Grpc-Metadata-" + name, "grpc-metadata-" + underscored, "Grpcgateway-" + name,
			"Grpc-Metadata-Grpcgateway-" + name, name + "-bin", "Grpc-Metadata-" + name + "-Bin", "Grpc-Trailer-" + name,
		} {
			spoofed[variant] = []string{"mallory", "mallory"}
		}
	}

	for name, value := range map[string]string{
		"Cookie": "session=mallory", "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "mallory", "Forwarded": "for=6.6.6.6",
		"X-Real-Ip": "6.6.6.6", "True-Client-Ip": "6.6.6.6", "Connection": "x-portico-subject, authorization",
		"Grpc-Metadata-Authorization": "Bearer mallory", "Proxy-Authorization": "mallory", "User-Agent": "mallory",
		"Grpc-Metadata-X-Request-Id": "mallory", "Origin": "https://mallory",
	} {
		spoofed[name] = []string{value}
	}

	for _, path := range []string{"/v1/users/alice", "/v1/me/dashboard", "/v1/echo/x", "/v1/shelves/s/books"} {
		if res := s.do(t, http.MethodGet, path, spoofed, ""); res.status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, res.status, res.body)
		}

		for _, c := range s.taken() {
			checkMetadata(t, c)
		}
	}
}

func checkMetadata(t *testing.T, c call) {
	t.Helper()

	want := map[string]string{
		"x-portico-subject": "alice", "x-portico-scopes": "orders:read", "x-portico-client-address": "127.0.0.1",
	}
	// What gRPC itself writes.
	allowed := []string{":authority", "content-type", "user-agent", "x-request-id", "grpc-accept-encoding"}

	for key, values := range c.metadata {
		if strings.Contains(fmt.Sprint(values), "mallory") || strings.Contains(fmt.Sprint(values), "6.6.6.6") {
			t.Errorf("%s got %s: %q", c.rpc, key, values)
		}

		if value, ours := want[key]; ours {
			if len(values) != 1 || values[0] != value {
				t.Errorf("%s got %s: %q, want %q once", c.rpc, key, values, value)
			}

			delete(want, key)
		} else if !slices.Contains(allowed, key) {
			t.Errorf("%s got %s: %q", c.rpc, key, values)
		}
	}

	if len(want) > 0 {
		t.Errorf("%s did not get %v", c.rpc, want)
	}
}

// Once, the message of a backend's UNAUTHENTICATED was copied into WWW-Authenticate.
func TestHazard09ChallengeIsNotTheBackendsText(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
	s.fail["/user.v1.UserService/GetUser"] = status.Error(codes.Unauthenticated, `secret"; realm="evil`)

	res := s.do(t, http.MethodGet, "/v1/users/alice", s.as(t, "alice"), "")
	if res.status != http.StatusUnauthorized || res.header.Get("Www-Authenticate") != "Bearer" {
		t.Errorf("%d, WWW-Authenticate %q", res.status, res.header.Get("Www-Authenticate"))
	}

	if strings.Contains(res.body+fmt.Sprint(res.header), "secret") {
		t.Errorf("leaked: %v %s", res.header, res.body)
	}
}

// Once, "Grpc-Timeout: 0n" removed the deadline and "99999999H" was honoured.
func TestHazard10ClientsCanOnlyShortenTheDeadline(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)

	for timeout, want := range map[string]time.Duration{
		"":          2 * time.Second,
		"99999999H": 2 * time.Second,
		"1H":        2 * time.Second,
		"500m":      500 * time.Millisecond,
		"1S":        time.Second,
	} {
		header := s.as(t, "alice")
		if timeout != "" {
			header.Set("Grpc-Timeout", timeout)
		}

		res := s.do(t, http.MethodGet, "/v1/users/alice", header, "")
		calls := s.taken()

		if res.status != http.StatusOK || len(calls) != 1 || calls[0].left <= 0 || calls[0].left > want {
			t.Errorf("%q: %d, calls %v, want a deadline within %s", timeout, res.status, calls, want)
		}
	}

	for _, timeout := range []string{"0n", "00000000H", "-1S", "1", "S", "1x", "999999999S", "1.5S", "1S, 2S", " ", "1 S", "+1S"} {
		header := s.as(t, "alice")
		header["Grpc-Timeout"] = []string{timeout}

		res := s.do(t, http.MethodGet, "/v1/users/alice", header, "")
		if timeout != " " && res.status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", timeout, res.status, res.body)
		}

		if calls := s.taken(); timeout != " " && len(calls) > 0 {
			t.Errorf("%q reached %v", timeout, rpcs(calls))
		}
	}
}

// A client that is in a hurry gets its 504, and the breaker does not take it for the backend's fault.
func TestImpatientClientsDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
	s.hold = make(chan struct{})

	header := s.as(t, "alice")
	header.Set("Grpc-Timeout", "5m")

	for range 30 {
		res := s.do(t, http.MethodGet, "/v1/users/alice", header, "")
		if res.status != http.StatusGatewayTimeout {
			t.Fatalf("%d %s", res.status, res.body)
		}

		res.problem(t)
	}

	close(s.hold)

	if res := s.do(t, http.MethodGet, "/v1/users/alice", s.as(t, "alice"), ""); res.status != http.StatusOK {
		t.Errorf("afterwards: %d %s", res.status, res.body)
	}
}

// Once, X-Forwarded-For and X-Real-IP of anyone were believed.
func TestHazard11ClientAddressIsNotTheClientsToChoose(t *testing.T) {
	t.Parallel()

	headers := map[string]string{
		"X-Forwarded-For": "1.2.3.4, 9.9.9.9, 127.0.0.7", "X-Real-Ip": "6.6.6.6", "True-Client-Ip": "6.6.6.6", "Forwarded": "for=6.6.6.6",
	}

	for name, row := range map[string]struct {
		trusted []string
		want    string
	}{
		"nobody_is_trusted":           {nil, "127.0.0.1"},
		"proxies_on_loopback":         {[]string{"127.0.0.0/8"}, "9.9.9.9"},
		"two_networks":                {[]string{"127.0.0.0/8", "9.0.0.0/8"}, "1.2.3.4"},
		"the_peer_is_none_of_theirs":  {[]string{"10.0.0.0/8"}, "127.0.0.1"},
		"everyone_would_be_a_mistake": {[]string{"127.0.0.0/8", "9.0.0.0/8", "2.0.0.0/8"}, "1.2.3.4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := startSite(t, func(c *config.Config) { c.ClientIP.TrustedProxies = row.trusted })

			header := s.as(t, "alice")
			for key, value := range headers {
				header.Set(key, value)
			}

			s.do(t, http.MethodGet, "/v1/users/alice", header, "")

			for _, c := range s.taken() {
				if got := c.metadata.Get("x-portico-client-address"); len(got) != 1 || got[0] != row.want {
					t.Errorf("client address %q, want %q", got, row.want)
				}
			}
		})
	}
}

// Once, all clients behind a load balancer that writes ports shared one bucket of the limit per client.
func TestForwardedForWithPortsTellsClientsApart(t *testing.T) {
	t.Parallel()

	s := startSite(t, func(c *config.Config) {
		c.ClientIP.TrustedProxies = []string{"::ffff:127.0.0.0/104"}
		c.Limits.Client = config.Rate{Requests: 1, Per: time.Hour, Burst: 2}
	})

	for _, fields := range [][]string{
		{"198.51.100.1:5555"},
		{"198.51.100.2:5555"},
		{"[2001:db8:0:1::5]:80"},
		{"[2001:db8:0:2::5]"},
		{"2001:db8:0:3::5"},
		{`"[2001:db8:0:4::5]:443"`},
		{"6.6.6.6:1, 198.51.100.3:1", "127.0.0.9:80"},
		{"::ffff:198.51.100.4"},
	} {
		header := s.as(t, "alice")
		header["X-Forwarded-For"] = fields

		for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
			if res := s.do(t, http.MethodGet, "/v1/echo/x", header, ""); res.status != want {
				t.Errorf("%q, request %d: %d %s", fields, i, res.status, res.body)
			}
		}
	}

	// Another port and another way to write it is the same client.
	for _, field := range []string{"198.51.100.1:9", "198.51.100.1", "::ffff:198.51.100.1", "[::ffff:198.51.100.1]:1", "198.51.100.9, 198.51.100.1:4"} {
		header := s.as(t, "alice")
		header.Set("X-Forwarded-For", field)

		if res := s.do(t, http.MethodGet, "/v1/echo/x", header, ""); res.status != http.StatusTooManyRequests {
			t.Errorf("%q: %d %s", field, res.status, res.body)
		}
	}

	const warning = "X-Forwarded-For of a trusted proxy cannot be read"

	if strings.Contains(s.logs.String(), warning) {
		t.Errorf("the log complains: %s", s.logs)
	}

	for range 3 {
		header := s.as(t, "alice")
		header.Set("X-Forwarded-For", "198.51.100.7, client-7")
		s.do(t, http.MethodGet, "/v1/echo/x", header, "")
	}

	if logs := s.logs.String(); strings.Count(logs, warning) != 1 || !strings.Contains(logs, "client-7") {
		t.Errorf("the log should complain once: %s", logs)
	}
}
