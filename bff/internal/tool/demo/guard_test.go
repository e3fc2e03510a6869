package demo_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

// link are the headers of a browser that opens a link of another site. user is ?1 if somebody clicked on it.
func link(user string) []string {
	return []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-User", user}
}

// A page elsewhere must get neither a token nor at a backend: not by a request of its own, not by a name of its own that it lets
// point to here, not from another machine.
func TestGuard(t *testing.T) {
	t.Parallel()

	header := func(pairs ...string) func(r *http.Request) {
		return func(r *http.Request) {
			for i := 0; i < len(pairs); i += 2 {
				r.Header.Set(pairs[i], pairs[i+1])
			}
		}
	}
	host := func(name string) func(r *http.Request) { return func(r *http.Request) { r.Host = name } }
	from := func(remote, local string) func(r *http.Request) {
		return func(r *http.Request) {
			own, _ := net.ResolveTCPAddr("tcp", local)
			*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(own)))
			r.RemoteAddr = remote
		}
	}

	for _, c := range []struct {
		name    string
		change  func(r *http.Request)
		allowed bool
	}{
		{"curl", nil, true},
		{"the_page", header("Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin"), true},
		{"an_address_that_was_typed", header("Sec-Fetch-Site", "none"), true},
		{"loopback_by_address", host("127.0.0.1:8080"), true},
		{"loopback_by_another_address", host("127.9.9.9"), true},
		{"loopback_in_IPv6", host("[::1]:8080"), true},
		{"loopback_in_IPv6_without_port", host("[::1]"), true},
		{"in_capitals", host("LOCALHOST:8080"), true},
		{"the_configured_host", host("devbox:8080"), true},
		{"a_program_here_by_another_address", from("192.0.2.7:40000", "192.0.2.7:8080"), true},
		{"without_port", host("localhost"), true},
		{"a_link_that_was_clicked", header(link("?1")...), true},
		{"an_IPv6_socket", from("[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:8080"), true},

		{"a_foreign_name_that_points_here", host("rebound.example:8080"), false},
		{"a_name_that_begins_well", host("localhost.example:8080"), false},
		{"an_address_of_a_network", host("192.0.2.7:8080"), false},
		{"no_name", host(""), false},
		{"another_site", header("Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), false},
		{"another_port", header("Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-site"), false},
		{"another_site_in_an_old_browser", header("Origin", "https://evil.example"), false},
		{"a_sandboxed_frame", header("Origin", "null"), false},
		{"another_machine", from("192.0.2.8:40000", "192.0.2.7:8080"), false},
		{"an_unknown_machine", from("", "192.0.2.7:8080"), false},
		{"a_name_in_brackets", host("[localhost]:8080"), false},
		{"the_configured_host_in_brackets", host("[devbox]"), false},
		{"an_IPv4_address_in_brackets", host("[127.0.0.1]:8080"), false},
		{"a_port_that_is_a_word", host("localhost:evil"), false},
		{"a_port_that_is_empty", host("localhost:"), false},
		{"a_port_out_of_range", host("localhost:65536"), false},
		{"two_ports", host("localhost:evil:8080"), false},
		{"IPv6_without_brackets", host("::1"), false},
		{"another_scheme", header("Origin", "https://localhost:8080"), false},
		{"a_page_that_opens_it_by_itself", header(link("")...), false},
		{"a_proxy_that_says_for_whom", header("X-Forwarded-For", "198.51.100.8"), false},
		{"a_proxy_that_says_its_host", header("X-Forwarded-Host", "rebound.example"), false},
		{"a_proxy_of_the_standard", header("Forwarded", "for=198.51.100.8"), false},
		{"a_proxy_that_says_that_it_is_one", header("Via", "1.1 proxy"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			for target, method := range map[string]string{
				"/dev/token?subject=alice": http.MethodGet, "/dev/info": http.MethodGet, "/dev/backends": http.MethodGet,
				"/dev/backends/order/stop": http.MethodPost,
			} {
				got := ask(t, method, target, c.change)

				want := http.StatusForbidden
				if c.allowed && (method == http.MethodGet || c.name != "a_link_that_was_clicked") {
					want = http.StatusOK
				}

				if got.Code != want {
					t.Errorf("%s %s: %d %s", method, target, got.Code, got.Body)
				}

				if !c.allowed && (strings.Contains(got.Body.String(), "token:") || strings.Contains(got.Body.String(), "POST /dev")) {
					t.Errorf("%s %s: it was answered: %s", method, target, got.Body)
				}

				if got.Header().Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s %s: readable elsewhere", method, target)
				}
			}
		})
	}
}
