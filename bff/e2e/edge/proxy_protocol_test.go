package edge_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// balanced is a gateway behind load balancers, which connect from 127.0.0.1.
type balanced struct {
	*running

	site *gatewaytest.Site
	ca   *tlstest.CA
}

// startBalanced starts it. With TLS if ca is not nil.
func startBalanced(t *testing.T, ca *tlstest.CA, change func(*config.Config)) balanced {
	t.Helper()

	l := make(listening, 1)
	s := gatewaytest.Start(t, onLoopback(func(c *config.Config) {
		c.Server.ProxyProtocol.From = []string{"127.0.0.1/32"}
		c.Server.ReadHeaderTimeout = time.Minute
		c.ClientIP.TrustedProxies = []string{"127.0.0.9/32"}

		if ca != nil {
			dir := t.TempDir()
			c.Server.TLS = config.ServerTLS{CertFile: filepath.Join(dir, "crt"), KeyFile: filepath.Join(dir, "key")}
			ca.Issue(t, c.Server.TLS.CertFile, c.Server.TLS.KeyFile, "gateway", "")
		}

		if change != nil {
			change(c)
		}
	}), l.option())

	return balanced{running: run(t, s, l), site: s, ca: ca}
}

// dialFrom connects from an address.
func dialFrom(t *testing.T, from, to string) net.Conn {
	t.Helper()

	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}

	conn, err := dialer.DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = conn.Close() })

	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}

	return conn
}

// client has connections of its own, from an address to another one.
func (b balanced) client(t *testing.T, from, to string, http2 bool) *http.Client {
	t.Helper()

	var protocols http.Protocols

	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2 && b.ca != nil)
	protocols.SetUnencryptedHTTP2(http2 && b.ca == nil)

	transport := &http.Transport{
		Protocols:   &protocols,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return dialFrom(t, from, to), nil },
	}
	if b.ca != nil {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: b.ca.Pool(), ServerName: "gateway"}
	}

	t.Cleanup(transport.CloseIdleConnections)

	return &http.Client{Transport: transport}
}

// get is the status of a response, and who the backend was told that the client is.
func (b balanced) get(t *testing.T, client *http.Client, forwardedFor string) (status int, told string) {
	t.Helper()

	scheme := "http"
	if b.ca != nil {
		scheme = "https"
	}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://gateway/v1/echo/x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}

	if req.Header = b.site.As(t, "alice"); forwardedFor != "" {
		req.Header.Set("X-Forwarded-For", forwardedFor)
	}

	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}

	_ = res.Body.Close()

	if calls := b.site.TakeCalls(); len(calls) > 0 {
		told = strings.Join(calls[0].Metadata.Get("x-portico-client-address"), ",")
	}

	return res.StatusCode, told
}

// A real load balancer says who the client is, over every kind of connection; what a proxy before it says composes with that.
func TestHAProxySaysWhoTheClientIs(t *testing.T) {
	t.Parallel()

	ca := tlstest.NewCA(t)

	for name, with := range map[string]*tlstest.CA{"plain": nil, "TLS": ca} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := startBalanced(t, with, nil)

			for _, version := range []string{"send-proxy", "send-proxy-v2"} {
				// The checks of HAProxy are connections on its own behalf (LOCAL, UNKNOWN).
				proxy := servers.HAProxyConnections(t, servers.ProxyConfig{Backend: b.address, Lines: []string{version, "check", "inter", "50ms"}})

				for _, http2 := range []bool{false, true} {
					for _, row := range []struct{ from, forwardedFor, want string }{
						{"127.0.0.7", "", "127.0.0.7"},
						{"127.0.0.7", "203.0.113.9", "127.0.0.7"},
						{"127.0.0.9", "203.0.113.9", "203.0.113.9"},
						{"127.0.0.9", "6.6.6.6, 203.0.113.9", "203.0.113.9"},
					} {
						status, told := b.get(t, b.client(t, row.from, proxy.Address, http2), row.forwardedFor)
						if status != http.StatusOK || told != row.want {
							t.Errorf("%s, HTTP/2 %v, %s for %q: %d, client %q, want %q", version, http2, row.from, row.forwardedFor, status, told, row.want)
						}
					}
				}
			}

			if log := b.site.Logs.String(); !strings.Contains(log, `"client":"127.0.0.7"`) || strings.Contains(log, "no valid PROXY header") {
				t.Error("the log does not say who the client is, or has refusals")
			}
		})
	}
}

// Others connect without a header. What they send as one is a request, and an invalid one.
func TestHeadersOfStrangersAreRefused(t *testing.T) {
	t.Parallel()

	b := startBalanced(t, nil, nil)

	if status, told := b.get(t, b.client(t, "127.0.0.8", b.address, false), ""); status != http.StatusOK || told != "127.0.0.8" {
		t.Errorf("without a header: %d, client %q", status, told)
	}

	const get = "GET /v1/echo/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

	for name, row := range map[string]struct{ from, sent, want string }{
		"stranger_1":       {"127.0.0.8", "PROXY TCP4 203.0.113.7 127.0.0.1 1 80\r\n" + get, "HTTP/1.1 400 "},
		"stranger_2":       {"127.0.0.8", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\x7f\x00\x00\x01\x00\x01\x00\x50" + get, "HTTP/1.1 400 "},
		"no_header":        {"127.0.0.1", get, ""},
		"TLS":              {"127.0.0.1", "\x16\x03\x01\x00\x05hello", ""},
		"port":             {"127.0.0.1", "PROXY TCP4 203.0.113.7 127.0.0.1 70000 80\r\n" + get, ""},
		"oversized":        {"127.0.0.1", "PROXY TCP4 " + strings.Repeat("9", 4096) + "\r\n" + get, ""},
		"truncated":        {"127.0.0.1", "PROXY TCP4 203.0.113.7", ""},
		"two_headers":      {"127.0.0.1", "PROXY TCP4 203.0.113.7 127.0.0.1 1 80\r\nPROXY TCP4 1.1.1.1 127.0.0.1 1 80\r\n" + get, "HTTP/1.1 400 "},
		"on_its_own":       {"127.0.0.1", "PROXY UNKNOWN\r\n" + get, "HTTP/1.1 401 "},
		"for_another_host": {"127.0.0.1", "PROXY TCP6 2001:db8::7 ::1 1 80\r\n" + get, "HTTP/1.1 401 "},
	} {
		conn := dialFrom(t, row.from, b.address)
		if _, err := io.WriteString(conn, row.sent); err != nil {
			t.Fatal(err)
		}

		if half, ok := conn.(*net.TCPConn); ok {
			_ = half.CloseWrite() // A reset is as good.
		}

		if got, _ := rest(conn); !strings.HasPrefix(got, row.want) || row.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}

	if !strings.Contains(b.site.Logs.String(), "no valid PROXY header") {
		t.Error("no refusal is logged")
	}
}

// The rate limit of clients is that of who the header names.
func TestLimitsBehindABalancer(t *testing.T) {
	t.Parallel()

	b := startBalanced(t, nil, func(c *config.Config) {
		c.Limits.Client = config.Rate{Requests: 1, Per: time.Hour, Burst: 1}
	})
	proxy := servers.HAProxyConnections(t, servers.ProxyConfig{Backend: b.address, Lines: []string{"send-proxy-v2"}})

	for _, row := range []struct {
		from   string
		status int
	}{
		{"127.0.0.7", http.StatusOK}, {"127.0.0.7", http.StatusTooManyRequests}, {"127.0.0.6", http.StatusOK},
	} {
		client := b.client(t, row.from, proxy.Address, false)
		if status, _ := b.get(t, client, ""); status != row.status {
			t.Errorf("%s: %d, want %d", row.from, status, row.status)
		}

		client.CloseIdleConnections()
	}

	// Those that send nothing, not even the header, hold up nobody.
	for range 3 {
		dialFrom(t, "127.0.0.1", b.address)
	}

	if status, _ := b.get(t, b.client(t, "127.0.0.5", proxy.Address, false), ""); status != http.StatusOK {
		t.Errorf("beside silent connections: %d", status)
	}
}
