package access_test

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
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Once, the client's Authorization, cookies and X-Forwarded-… reached backends, and so did identity headers of its own making.
func TestHazard08BackendsGetTheGatewaysMetadataAlone(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	spoofed := s.As(t, "alice", "orders:read")
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
		if res := s.Do(t, http.MethodGet, path, spoofed, ""); res.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, res.Status, res.Body)
		}

		for _, c := range s.TakeCalls() {
			checkMetadata(t, c)
		}
	}
}

func checkMetadata(t *testing.T, c gatewaytest.Call) {
	t.Helper()

	want := map[string]string{
		"x-portico-subject": "alice", "x-portico-scopes": "orders:read", "x-portico-client-address": "127.0.0.1",
	}
	// What gRPC itself writes.
	allowed := []string{":authority", "content-type", "user-agent", "x-request-id", "grpc-accept-encoding"}

	for key, values := range c.Metadata {
		if strings.Contains(fmt.Sprint(values), "mallory") || strings.Contains(fmt.Sprint(values), "6.6.6.6") {
			t.Errorf("%s got %s: %q", c.RPC, key, values)
		}

		if value, ours := want[key]; ours {
			if len(values) != 1 || values[0] != value {
				t.Errorf("%s got %s: %q, want %q once", c.RPC, key, values, value)
			}

			delete(want, key)
		} else if !slices.Contains(allowed, key) {
			t.Errorf("%s got %s: %q", c.RPC, key, values)
		}
	}

	if len(want) > 0 {
		t.Errorf("%s did not get %v", c.RPC, want)
	}
}

// Once, the message of a backend's UNAUTHENTICATED was copied into WWW-Authenticate.
func TestHazard09ChallengeIsNotTheBackendsText(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	s.Fail["/user.v1.UserService/GetUser"] = status.Error(codes.Unauthenticated, `secret"; realm="evil`)

	res := s.Do(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"), "")
	if res.Status != http.StatusUnauthorized || res.Header.Get("Www-Authenticate") != "Bearer" {
		t.Errorf("%d, WWW-Authenticate %q", res.Status, res.Header.Get("Www-Authenticate"))
	}

	if strings.Contains(res.Body+fmt.Sprint(res.Header), "secret") {
		t.Errorf("leaked: %v %s", res.Header, res.Body)
	}
}

// Once, "Grpc-Timeout: 0n" removed the deadline and "99999999H" was honoured.
func TestHazard10ClientsCanOnlyShortenTheDeadline(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	for timeout, want := range map[string]time.Duration{
		"":          2 * time.Second,
		"99999999H": 2 * time.Second,
		"1H":        2 * time.Second,
		"500m":      500 * time.Millisecond,
		"1S":        time.Second,
	} {
		header := s.As(t, "alice")
		if timeout != "" {
			header.Set("Grpc-Timeout", timeout)
		}

		res := s.Do(t, http.MethodGet, "/v1/users/alice", header, "")
		calls := s.TakeCalls()

		if res.Status != http.StatusOK || len(calls) != 1 || calls[0].Left <= 0 || calls[0].Left > want {
			t.Errorf("%q: %d, calls %v, want a deadline within %s", timeout, res.Status, calls, want)
		}
	}

	for _, timeout := range []string{"0n", "00000000H", "-1S", "1", "S", "1x", "999999999S", "1.5S", "1S, 2S", " ", "1 S", "+1S"} {
		header := s.As(t, "alice")
		header["Grpc-Timeout"] = []string{timeout}

		res := s.Do(t, http.MethodGet, "/v1/users/alice", header, "")
		if timeout != " " && res.Status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", timeout, res.Status, res.Body)
		}

		if calls := s.TakeCalls(); timeout != " " && len(calls) > 0 {
			t.Errorf("%q reached %v", timeout, gatewaytest.RPCs(calls))
		}
	}
}

// A client that is in a hurry gets its 504, and the breaker does not take it for the backend's fault.
func TestImpatientClientsDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	s.Hold = make(chan struct{})

	header := s.As(t, "alice")
	header.Set("Grpc-Timeout", "5m")

	for range 30 {
		res := s.Do(t, http.MethodGet, "/v1/users/alice", header, "")
		if res.Status != http.StatusGatewayTimeout {
			t.Fatalf("%d %s", res.Status, res.Body)
		}

		res.Problem(t)
	}

	close(s.Hold)

	if res := s.Do(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"), ""); res.Status != http.StatusOK {
		t.Errorf("afterwards: %d %s", res.Status, res.Body)
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

			s := gatewaytest.Start(t, func(c *config.Config) { c.ClientIP.TrustedProxies = row.trusted })

			header := s.As(t, "alice")
			for key, value := range headers {
				header.Set(key, value)
			}

			s.Do(t, http.MethodGet, "/v1/users/alice", header, "")

			for _, c := range s.TakeCalls() {
				if got := c.Metadata.Get("x-portico-client-address"); len(got) != 1 || got[0] != row.want {
					t.Errorf("client address %q, want %q", got, row.want)
				}
			}
		})
	}
}

// Once, all clients behind a load balancer that writes ports shared one bucket of the limit per client.
func TestForwardedForWithPortsTellsClientsApart(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(c *config.Config) {
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
		header := s.As(t, "alice")
		header["X-Forwarded-For"] = fields

		for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
			if res := s.Do(t, http.MethodGet, "/v1/echo/x", header, ""); res.Status != want {
				t.Errorf("%q, request %d: %d %s", fields, i, res.Status, res.Body)
			}
		}
	}

	// Another port and another way to write it is the same client.
	for _, field := range []string{"198.51.100.1:9", "198.51.100.1", "::ffff:198.51.100.1", "[::ffff:198.51.100.1]:1", "198.51.100.9, 198.51.100.1:4"} {
		header := s.As(t, "alice")
		header.Set("X-Forwarded-For", field)

		if res := s.Do(t, http.MethodGet, "/v1/echo/x", header, ""); res.Status != http.StatusTooManyRequests {
			t.Errorf("%q: %d %s", field, res.Status, res.Body)
		}
	}

	const warning = "X-Forwarded-For of a trusted proxy cannot be read"

	if strings.Contains(s.Logs.String(), warning) {
		t.Errorf("the log complains: %s", s.Logs)
	}

	for range 3 {
		header := s.As(t, "alice")
		header.Set("X-Forwarded-For", "198.51.100.7, client-7")
		s.Do(t, http.MethodGet, "/v1/echo/x", header, "")
	}

	if logs := s.Logs.String(); strings.Count(logs, warning) != 1 || !strings.Contains(logs, "client-7") {
		t.Errorf("the log should complain once: %s", logs)
	}
}
