package listen_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge/listen"
)

// fromConn is a connection from an address.
type fromConn struct {
	net.Conn

	from net.Addr
}

func (c fromConn) RemoteAddr() net.Addr { return c.from }

func tcp(address string) net.Addr { return net.TCPAddrFromAddrPort(addrPort(address)) }

const timeout = 5 * time.Second

// accepted is the server's side of a connection from an address whose client sends a text and closes, if it does.
func accepted(t *testing.T, from net.Addr, text string, closes bool, refused func(net.Addr, error)) net.Conn {
	t.Helper()

	client, server := net.Pipe()
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
	})

	go func() {
		_, _ = io.WriteString(client, text)

		if closes {
			_ = client.Close()
		}
	}()

	proxied := listen.Proxied{From: listen.NewPeers([]string{"10.0.0.0/8", "::ffff:172.16.0.0/108", "fd00::/8"}), Timeout: timeout, Refused: refused}

	return proxied.Conn(fromConn{server, from})
}

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// v2 is a header of version 2.
func v2(command, family byte, body string) string {
	return signature + string([]byte{command, family}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(body)))) + body
}

const (
	local, proxy                   = 0x20, 0x21
	unspecified, tcp4, unixFamily  = 0x00, 0x11, 0x31
	inet                           = "\xcb\x00\x71\x07\x0a\x00\x00\x01\x30\x39\x01\xbb" // 203.0.113.7:12345 to 10.0.0.1:443.
	balancer, client, request      = "10.0.0.1:4000", "203.0.113.7:12345", "GET / HTTP/1.1\r\n\r\n"
	v1, spoofed                    = "PROXY TCP4 203.0.113.7 10.0.0.1 12345 443\r\n", "PROXY TCP4 203.0.113.7 10.0.0.1 12345 443\r\nPROXY TCP4 1.1.1.1 10.0.0.1 1 443\r\n"
	v1IPv6, v1Unknown, v1UnknownIP = "PROXY TCP6 2001:db8::7 fd00::1 12345 443\r\n", "PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"
)

func TestHeadersSayWhoTheClientIs(t *testing.T) {
	t.Parallel()

	unix := strings.Repeat("\x00", 216)

	for _, row := range []struct {
		name, from, sent, remote, rest string
	}{
		{"version_1", balancer, v1 + request, client, request},
		{"version_1_of_IPv6", balancer, v1IPv6 + request, "[2001:db8::7]:12345", request},
		{"unknown", balancer, v1Unknown + request, balancer, request},
		{"unknown_with_addresses", balancer, v1UnknownIP + request, balancer, request},
		{"version_2", balancer, v2(proxy, tcp4, inet) + request, client, request},
		{"version_2_with_more", balancer, v2(proxy, tcp4, inet+"\x03\x00\x04abcd") + request, client, request},
		{"local", balancer, v2(local, unspecified, "") + request, balancer, request},
		{"local_with_an_address", balancer, v2(local, tcp4, inet) + request, balancer, request},
		{"unix_socket_of_the_balancer", balancer, v2(proxy, unixFamily, "10.0.0.9:80"+unix[11:]) + request, "unknown", request},
		{"second_header_is_data", balancer, spoofed, client, "PROXY TCP4 1.1.1.1 10.0.0.1 1 443\r\n"},
		{"balancer_as_IPv4_in_IPv6", "[::ffff:10.0.0.1]:4000", v1, client, ""},
		{"prefix_as_IPv4_in_IPv6", "172.16.0.1:4000", v1, client, ""},
		{"untrusted", "192.0.2.1:4000", v1 + request, "192.0.2.1:4000", v1 + request},
		{"untrusted_version_2", "192.0.2.1:4000", v2(proxy, tcp4, inet), "192.0.2.1:4000", v2(proxy, tcp4, inet)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			conn := accepted(t, tcp(row.from), row.sent, true, func(_ net.Addr, err error) { t.Errorf("refused: %v", err) })

			if got := conn.RemoteAddr().String(); got != row.remote {
				t.Errorf("remote address %s, want %s", got, row.remote)
			}

			if rest, err := io.ReadAll(conn); err != nil || string(rest) != row.rest {
				t.Errorf("read %q, %v, want %q", rest, err, row.rest)
			}
		})
	}
}

func TestFaultyHeadersEndTheConnection(t *testing.T) {
	t.Parallel()

	for _, row := range []struct{ name, sent string }{
		{"none", request},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00"},
		{"truncated_1", "PROXY TCP4 203.0.113.7 10.0"},
		{"truncated_2", v2(proxy, tcp4, inet)[:20]},
		{"first_byte", "P"},
		{"signature_alone", signature},
		{"too_long", "PROXY TCP4 " + strings.Repeat("1", 200) + "\r\n"},
		{"no_CR", "PROXY TCP4 203.0.113.7 10.0.0.1 12345 443\n"},
		{"port_too_large", "PROXY TCP4 203.0.113.7 10.0.0.1 65536 443\r\n"},
		{"port_below_zero", "PROXY TCP4 203.0.113.7 10.0.0.1 -1 443\r\n"},
		{"port_with_a_zero_before_it", "PROXY TCP4 203.0.113.7 10.0.0.1 080 443\r\n"},
		{"IPv6_as_IPv4", "PROXY TCP4 2001:db8::7 10.0.0.1 1 443\r\n"},
		{"host_name", "PROXY TCP4 localhost 10.0.0.1 1 443\r\n"},
		{"address_with_a_zone", "PROXY TCP6 fe80::1%eth0 fd00::1 1 443\r\n"},
		{"one_word_more", "PROXY TCP4 203.0.113.7 10.0.0.1 1 443 x\r\n"},
		{"protocol", "PROXY UDP4 203.0.113.7 10.0.0.1 1 443\r\n"},
		{"version_3", v2(0x31, tcp4, inet)},
		{"command", v2(0x22, tcp4, inet)},
		{"family", v2(proxy, 0x13, inet)},
		{"no_family", v2(proxy, unspecified, "")},
		{"address_too_short", v2(proxy, tcp4, inet[:8])},
		{"oversized", v2(proxy, tcp4, inet+strings.Repeat("x", 60_000))},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			refused := 0
			conn := accepted(t, tcp(balancer), row.sent, true, func(peer net.Addr, err error) {
				refused++

				if peer.String() != balancer || err == nil {
					t.Errorf("refused %v: %v", peer, err)
				}
			})

			if got := conn.RemoteAddr().String(); got != balancer {
				t.Errorf("remote address %s", got)
			}

			if n, err := conn.Read(make([]byte, 100)); n > 0 || err == nil {
				t.Errorf("read %d bytes, %v", n, err)
			}

			if _ = conn.RemoteAddr(); refused != 1 {
				t.Errorf("%d refusals", refused)
			}
		})
	}
}

// Who accepts connections waits for nobody, and a client that sends nothing has a connection for as long as a header may take.
func TestHeadersMayBeLate(t *testing.T) {
	t.Parallel()

	for name, sent := range map[string]string{"nothing": "", "half": signature, "half_of_version_1": "PRO"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				refused := 0
				start := time.Now()
				conn := accepted(t, tcp(balancer), sent, false, func(net.Addr, error) { refused++ })

				if took := time.Since(start); took > 0 {
					t.Errorf("accepting took %v", took)
				}

				if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
					t.Errorf("read %d bytes, %v", n, err)
				}

				if took := time.Since(start); took != timeout {
					t.Errorf("it took %v", took)
				}

				_ = conn.RemoteAddr()

				if want := min(len(sent), 1); refused != want {
					t.Errorf("%d refusals, want %d", refused, want)
				}
			})
		})
	}
}

// Health checks of load balancers connect, and send nothing.
func TestConnectionWithoutAByteIsNoRefusal(t *testing.T) {
	t.Parallel()

	conn := accepted(t, tcp(balancer), "", true, func(_ net.Addr, err error) { t.Errorf("refused: %v", err) })

	if got := conn.RemoteAddr().String(); got != balancer {
		t.Errorf("remote address %s", got)
	}
}
