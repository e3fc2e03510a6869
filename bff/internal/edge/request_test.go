package edge_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

func TestRequestID(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, sent string
		accepted   bool
	}{
		{"uuid", "0b9c5a1e-7f0e-4d53-9f8e-0d0c5a1e7f0e", true},
		{"ulid", "01JD9Y4ZK3S8T6X5W4V3B2N1M0", true},
		{"eight_characters", "abcdefgh", true},
		{"sixty_four_characters", strings.Repeat("a", 64), true},
		{"dots_and_underscores", "req_1.2-3x", true},
		{"none", "", false},
		{"seven_characters", "abcdefg", false},
		{"sixty_five_characters", strings.Repeat("a", 65), false},
		{"leading_dash", "-abcdefgh", false},
		{"space_within", "abcd efgh", false},
		{"line_break", "abcdefgh\nlevel=ERROR", false},
		{"line_break_at_the_end", "abcdefgh\n", false},
		{"markup", "<script>alert</script>", false},
		{"quote", `abcdefgh"`, false},
		{"other_letters", "äöüäöüäöü", false},
		{"template", "${jndi:ldap}", false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			r := get("/")
			r.Header["X-Request-Id"] = []string{tt.sent}

			var noted string

			resp := newEdge().do(r, func(_ http.ResponseWriter, r *http.Request) { noted = reqinfo.From(r.Context()).ID })

			answered := resp.Header().Get("X-Request-Id")
			if answered != noted || (answered == tt.sent) != tt.accepted {
				t.Errorf("sent %q, noted %q, answered %q", tt.sent, noted, answered)
			}

			if !tt.accepted && len(answered) != 26 {
				t.Errorf("made up %q", answered)
			}
		})
	}
}

func forwarded(fields ...string) http.Header { return http.Header{"X-Forwarded-For": fields} }

// chi's own RealIP believes anyone.
func TestClientAddress(t *testing.T) {
	t.Parallel()

	proxies := []string{"10.0.0.0/8", "2001:db8:1::/48", "fe80::/10", "::ffff:172.16.0.0/108"}
	sockets := []string{"unix", "10.0.0.0/8"}

	tests := []struct {
		name    string
		trusted []string
		remote  string
		header  http.Header
		want    string
	}{
		{"connection", nil, "192.0.2.1:1234", nil, "192.0.2.1"},
		{"connection_over_ipv6", nil, "[2001:db8::1]:1234", nil, "2001:db8::1"},
		{"connection_without_its_zone", nil, "[fe80::1%eth0]:1234", nil, "fe80::1"},
		{"ipv4_in_ipv6", nil, "[::ffff:192.0.2.1]:1234", nil, "192.0.2.1"},
		{"forwarded_for_is_not_believed", nil, "192.0.2.1:1", http.Header{"X-Forwarded-For": {"203.0.113.7"}}, "192.0.2.1"},
		{"real_ip_is_not_believed", nil, "192.0.2.1:1", http.Header{
			"X-Real-Ip": {"203.0.113.7"}, "True-Client-Ip": {"203.0.113.7"}, "Cf-Connecting-Ip": {"203.0.113.7"},
			"Forwarded": {"for=203.0.113.7"},
		}, "192.0.2.1"},
		{"no_address_at_all", nil, "@", nil, "invalid IP"},
		{"unix_socket", proxies, "unix", forwarded("203.0.113.7"), "invalid IP"},
		{"unix_socket_of_a_proxy", sockets, "unix", forwarded("6.6.6.6, 203.0.113.7"), "203.0.113.7"},
		{"unix_socket_of_a_proxy_behind_one", sockets, "unix", forwarded("203.0.113.7, 10.2.2.2"), "203.0.113.7"},
		{"unix_socket_of_a_proxy_that_says_nothing", sockets, "unix", nil, "invalid IP"},
		{"unix_socket_with_garbage", sockets, "unix", forwarded("garbage"), "invalid IP"},
		{"unix_socket_behind_the_balancer", sockets, "unknown", forwarded("203.0.113.7"), "invalid IP"},

		{"through_a_proxy", proxies, "10.0.0.1:1", http.Header{"X-Forwarded-For": {"203.0.113.7"}}, "203.0.113.7"},
		{"through_a_proxy_over_ipv6", proxies, "[2001:db8:1::5]:1", http.Header{"X-Forwarded-For": {"2001:db8:9::1"}}, "2001:db8:9::1"},
		{"through_two_proxies", proxies, "10.0.0.1:1", http.Header{"X-Forwarded-For": {"203.0.113.7, 10.9.9.9"}}, "203.0.113.7"},
		{"forged_before_what_the_proxy_adds", proxies, "10.0.0.1:1", http.Header{"X-Forwarded-For": {"127.0.0.1, 203.0.113.7"}}, "203.0.113.7"},
		{"forged_trusted_address", proxies, "10.0.0.1:1", http.Header{"X-Forwarded-For": {"10.1.1.1, 203.0.113.7"}}, "203.0.113.7"},
		{"forged_in_a_header_of_its_own", proxies, "10.0.0.1:1", http.Header{"X-Forwarded-For": {"127.0.0.1", "203.0.113.7"}}, "203.0.113.7"},
		{"past_the_proxies", proxies, "198.51.100.9:1", http.Header{"X-Forwarded-For": {"203.0.113.7"}}, "198.51.100.9"},
		{"real_ip_from_a_proxy_is_not_believed", proxies, "10.0.0.1:1", http.Header{
			"X-Forwarded-For": {"203.0.113.7"}, "X-Real-Ip": {"127.0.0.1"},
		}, "203.0.113.7"},
		{"garbage_hides_nobody", proxies, "10.0.0.1:1", http.Header{"X-Forwarded-For": {"203.0.113.7, garbage"}}, "10.0.0.1"},
		{"with_a_port", proxies, "10.0.0.1:1", forwarded("203.0.113.7:5555"), "203.0.113.7"},
		{"with_ports_of_proxies", proxies, "10.0.0.1:1", forwarded("203.0.113.7:5555, 10.9.9.9:80"), "203.0.113.7"},
		{"ipv6_with_a_port", proxies, "10.0.0.1:1", forwarded("[2001:db8::5]:80"), "2001:db8::5"},
		{"ipv6_in_brackets", proxies, "10.0.0.1:1", forwarded("[2001:db8::5]"), "2001:db8::5"},
		{"ipv6_with_a_zone", proxies, "10.0.0.1:1", forwarded("2001:db8::5%eth0"), "2001:db8::5"},
		{"ipv6_with_a_zone_and_a_port", proxies, "10.0.0.1:1", forwarded("[2001:db8::5%eth0]:80"), "2001:db8::5"},
		{"in_quotes", proxies, "10.0.0.1:1", forwarded(`"[2001:db8::5]:80"`), "2001:db8::5"},
		{"ipv4_in_quotes", proxies, "10.0.0.1:1", forwarded(`"203.0.113.7:80"`), "203.0.113.7"},
		{"ipv4_in_ipv6_with_a_port", proxies, "10.0.0.1:1", forwarded("[::ffff:203.0.113.7]:80"), "203.0.113.7"},
		{"ipv4_in_ipv6_forwarded", proxies, "10.0.0.1:1", forwarded("::ffff:203.0.113.7"), "203.0.113.7"},
		{"proxy_as_ipv4_in_ipv6", proxies, "10.0.0.1:1", forwarded("203.0.113.7, ::ffff:10.0.0.2"), "203.0.113.7"},
		{"connection_of_a_proxy_as_ipv4_in_ipv6", proxies, "[::ffff:10.0.0.1]:1", forwarded("203.0.113.7"), "203.0.113.7"},
		{"trusted_as_ipv4_in_ipv6", proxies, "172.16.0.1:1", forwarded("203.0.113.7"), "203.0.113.7"},
		{"outside_of_trusted_as_ipv4_in_ipv6", proxies, "172.32.0.1:1", forwarded("203.0.113.7"), "172.32.0.1"},
		{"proxy_with_a_zone", proxies, "[fe80::1%eth0]:1", forwarded("203.0.113.7"), "203.0.113.7"},
		{"white_space_and_empty_elements", proxies, "10.0.0.1:1", forwarded(" ,\t203.0.113.7:1 ,, 10.1.1.1\t,", "", " , "), "203.0.113.7"},
		{"several_fields", proxies, "10.0.0.1:1", forwarded("6.6.6.6, 203.0.113.7:9", "10.2.2.2:80"), "203.0.113.7"},
		{"forged_with_a_port", proxies, "10.0.0.1:1", forwarded("10.1.1.1:80, 203.0.113.7:5555"), "203.0.113.7"},
		{"forged_garbage", proxies, "10.0.0.1:1", forwarded("garbage, 203.0.113.7:5555"), "203.0.113.7"},
		{"all_trusted", proxies, "10.0.0.1:1", forwarded("10.3.3.3:1, 10.2.2.2"), "10.3.3.3"},
		{"garbage_of_the_second_proxy", proxies, "10.0.0.1:1", forwarded("203.0.113.7, unknown, 10.2.2.2"), "10.2.2.2"},
		{"port_alone", proxies, "10.0.0.1:1", forwarded("203.0.113.7, :80"), "10.0.0.1"},
		{"port_that_is_none", proxies, "10.0.0.1:1", forwarded("203.0.113.7:x"), "10.0.0.1"},
		{"brackets_around_nothing", proxies, "10.0.0.1:1", forwarded("[]"), "10.0.0.1"},
		{"quotes_around_nothing", proxies, "10.0.0.1:1", forwarded(`""`), "10.0.0.1"},
		{"proxy_that_speaks_for_itself", proxies, "10.0.0.1:1", nil, "10.0.0.1"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			e := newEdge()
			e.config.ClientIP.TrustedProxies = tt.trusted

			r := get("/")
			r.RemoteAddr = tt.remote
			r.Header = tt.header.Clone()

			if r.Header == nil {
				r.Header = http.Header{}
			}

			var got string

			e.do(r, func(_ http.ResponseWriter, r *http.Request) { got = reqinfo.From(r.Context()).Client.String() })

			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What a trusted proxy writes that nobody can read is logged once, however many requests it is in.
func TestUnreadableForwardedForIsLoggedOnce(t *testing.T) {
	t.Parallel()

	e := newEdge()
	e.config.ClientIP.TrustedProxies = []string{"10.0.0.0/8"}
	handler := edge.Wrap(e.config, e.deps, http.HandlerFunc(ok))

	for _, field := range []string{"203.0.113.7", "garbage, 203.0.113.7", "_hidden, 10.9.9.9:80", "unknown", strings.Repeat("x", 10_000)} {
		for range 3 {
			r := get("/")
			r.RemoteAddr, r.Header = "10.0.0.1:1", forwarded(field)
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}
	}

	const message = "X-Forwarded-For of a trusted proxy cannot be read; its clients count as one (this is logged once)"

	lines := e.lines(t, message)
	if len(lines) != 1 || lines[0]["proxy"] != "10.9.9.9" || lines[0]["element"] != "_hidden" {
		t.Errorf("logged %v", lines)
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()

	const unchanged = -1

	tests := []struct {
		name    string
		size    int
		chunked bool
		// route is the limit that the route sets before the first read.
		route int64
		// read is how much arrives of a body that is refused; -1: all of one that is not.
		read int
	}{
		{"empty", 0, false, unchanged, -1},
		{"just_the_limit", 100, false, unchanged, -1},
		{"declared_as_too_long", 101, false, unchanged, 0},
		{"much_too_long", 1 << 20, false, unchanged, 0},
		{"chunked_just_the_limit", 100, true, unchanged, -1},
		{"chunked_and_too_long", 101, true, unchanged, 100},
		{"chunked_and_much_too_long", 1 << 20, true, unchanged, 100},
		{"raised_by_the_route", 1000, false, 1000, -1},
		{"raised_and_chunked", 1000, true, 1000, -1},
		{"raised_but_not_enough", 1001, false, 1000, 0},
		{"raised_and_chunked_but_not_enough", 1001, true, 1000, 1000},
		{"lowered_by_the_route", 11, false, 10, 0},
		{"lowered_and_chunked", 11, true, 10, 10},
		{"lowered_to_nothing", 1, false, 0, 0},
		{"lowered_to_nothing_and_empty", 0, false, 0, -1},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			url := newEdge().serve(t, func(_ http.ResponseWriter, r *http.Request) {
				rec := reqinfo.From(r.Context())
				if tt.route != unchanged {
					rec.BodyLimit = tt.route
				}

				got, err := io.ReadAll(r.Body)

				var tooLarge *http.MaxBytesError
				refused := errors.As(err, &tooLarge)

				switch {
				case tt.read < 0:
					if err != nil || len(got) != tt.size || rec.BodyExceeded {
						t.Errorf("got %d bytes, %v, exceeded: %t", len(got), err, rec.BodyExceeded)
					}
				case !refused || tooLarge.Limit != rec.BodyLimit || len(got) != tt.read || !rec.BodyExceeded:
					t.Errorf("got %d bytes, %v, exceeded: %t", len(got), err, rec.BodyExceeded)
				}

				if rec.WireBytes() != int64(len(got)) {
					t.Errorf("%d bytes were counted of %d", rec.WireBytes(), len(got))
				}
			})

			var sent io.Reader = bytes.NewReader(make([]byte, tt.size))
			if tt.chunked {
				// Whose length net/http cannot see.
				sent = io.MultiReader(sent)
			}

			resp, err := http.Post(url, "application/json", sent)
			if err != nil {
				t.Fatal(err)
			}

			_ = resp.Body.Close()
		})
	}
}

func TestBodyIsClosed(t *testing.T) {
	t.Parallel()

	sent := &closer{Reader: strings.NewReader("x")}
	r := httptest.NewRequest(http.MethodPost, "/", sent)

	newEdge().do(r, func(_ http.ResponseWriter, r *http.Request) {
		if err := r.Body.Close(); err != nil {
			t.Error(err)
		}
	})

	if !sent.closed {
		t.Error("the body is still open")
	}
}

type closer struct {
	io.Reader

	closed bool
}

func (c *closer) Close() error {
	c.closed = true

	return nil
}

// Middleware may hold the context of its request, and have begun work with it that takes longer than the route.
func TestMiddlewareDoesNotSeeTheDeadlineOfTheRoute(t *testing.T) {
	t.Parallel()

	var held context.Context

	e := newEdge()
	e.deps.Middleware = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			held = r.Context() //nolint:fatcontext // There is one request.
			next.ServeHTTP(w, r)
		})
	}

	e.do(httptest.NewRequest(http.MethodGet, "/", http.NoBody), func(_ http.ResponseWriter, r *http.Request) {
		ctx, cancel := reqinfo.WithDeadline(r.Context(), time.Now().Add(time.Hour))
		defer cancel()

		if _, ok := held.Deadline(); ok || reqinfo.From(ctx) != reqinfo.From(held) {
			t.Error("the context of the middleware has the deadline, or the route has another record")
		}
	})
}
