package upstream_test

import (
	"context"
	"encoding/binary"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"google.golang.org/grpc/resolver/dns"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// soon is how often gRPC looks up a name at most, in these tests. It must be said before the first connection.
var soon = func() time.Duration {
	dns.SetMinResolutionInterval(20 * time.Millisecond)

	return 50 * time.Millisecond
}()

// zone is a DNS server with one name. Over UDP it answers only that the answer is too long if it has more than two addresses.
type zone struct {
	address string

	mu  sync.Mutex
	ips []net.IP
}

const name = "orders.test."

// serveZone answers until the test ends.
func serveZone(tb testing.TB, ips ...string) *zone {
	tb.Helper()

	z := &zone{}
	z.is(ips...)

	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}

	z.address = stream.Addr().String()

	packets, err := net.ListenPacket("udp", z.address)
	if err != nil {
		tb.Fatal(err)
	}

	var wg sync.WaitGroup

	wg.Go(func() { z.overUDP(packets) })
	wg.Go(func() { z.overTCP(stream) })
	tb.Cleanup(func() {
		_ = stream.Close()
		_ = packets.Close()

		wg.Wait()
	})

	return z
}

// is changes the addresses.
func (z *zone) is(ips ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()

	z.ips = nil
	for _, ip := range ips {
		z.ips = append(z.ips, net.ParseIP(ip).To4())
	}
}

func (z *zone) overUDP(packets net.PacketConn) {
	buffer := make([]byte, 1500)

	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			return
		}

		if answer, err := z.answer(buffer[:n], 2); err == nil {
			_, _ = packets.WriteTo(answer, from)
		}
	}
}

func (z *zone) overTCP(stream net.Listener) {
	for {
		conn, err := stream.Accept()
		if err != nil {
			return
		}

		size := make([]byte, 2)
		if _, err := io.ReadFull(conn, size); err == nil {
			query := make([]byte, binary.BigEndian.Uint16(size))
			if _, err := io.ReadFull(conn, query); err == nil {
				answer, _ := z.answer(query, 100)
				_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			}
		}

		_ = conn.Close()
	}
}

func (z *zone) answer(query []byte, most int) ([]byte, error) {
	z.mu.Lock()
	defer z.mu.Unlock()

	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}

	question := message.Questions[0]
	message.Additionals = nil
	message.Response = true

	switch {
	case question.Name.String() != name:
		message.RCode = dnsmessage.RCodeNameError
	case question.Type != dnsmessage.TypeA:
	case len(z.ips) > most:
		message.Truncated = true
	default:
		for _, ip := range z.ips {
			message.Answers = append(message.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class},
				Body:   &dnsmessage.AResource{A: [4]byte(ip)},
			})
		}
	}

	return message.Pack()
}

// replicas serves backends that tell their address, on the same port of three addresses. They end by the functions.
func replicas(tb testing.TB) (port string, stop map[string]func()) {
	tb.Helper()

	server, first := listen(tb, "tcp", "127.0.0.1:0", named("127.0.0.1"))
	stop = map[string]func(){"127.0.0.1": server.Stop}

	_, port, err := net.SplitHostPort(first)
	if err != nil {
		tb.Fatal(err)
	}

	for _, ip := range []string{"127.0.0.2", "127.0.0.3"} {
		server, _ := listen(tb, "tcp", net.JoinHostPort(ip, port), named(ip))
		stop[ip] = server.Stop
	}

	return port, stop
}

// spread tells who answers a dozen calls.
func spread(tb testing.TB, orders orderv1.OrderServiceClient) []string {
	tb.Helper()

	by := map[string]bool{}

	for range 12 {
		ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
		order, _ := orders.GetOrder(ctx, &orderv1.GetOrderRequest{})

		cancel()

		by[order.GetOrderId()] = true
	}

	return slices.Sorted(maps.Keys(by))
}

// becomes waits until calls go to these and to nobody else.
func becomes(tb testing.TB, orders orderv1.OrderServiceClient, want ...string) {
	tb.Helper()

	var got []string

	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = spread(tb, orders); slices.Equal(got, want) {
			return
		}
	}

	tb.Fatalf("calls go to %q, want %q", got, want)
}

func TestNamesAreLookedUpAgainFromTimeToTime(t *testing.T) {
	t.Parallel()

	port, _ := replicas(t)
	z := serveZone(t, "127.0.0.1", "127.0.0.2")
	cfg := upstream.Config{Upstream: config.Upstream{Target: "dns://" + z.address + "/orders.test:" + port, Breaker: patient, RefreshInterval: soon}}
	pool := open(t, cfg, quiet(t))
	orders := client(t, pool)

	becomes(t, orders, "127.0.0.1", "127.0.0.2")

	// Nothing fails, and yet it is noticed.
	z.is("127.0.0.1", "127.0.0.2", "127.0.0.3")
	becomes(t, orders, "127.0.0.1", "127.0.0.2", "127.0.0.3")

	if got := pool.Statuses()[0].Addresses; len(got) != 3 || got[0].Address != "127.0.0.1:"+port || got[0].State != "ready" {
		t.Errorf("the addresses are %v", got)
	}

	z.is("127.0.0.3")
	becomes(t, orders, "127.0.0.3")

	// A name that is gone for a while does not take the addresses with it.
	z.is()
	time.Sleep(5 * soon)
	becomes(t, orders, "127.0.0.3")
}

func TestNamesAreLookedUpAgainWhenAConnectionIsLost(t *testing.T) {
	t.Parallel()

	port, stop := replicas(t)
	z := serveZone(t, "127.0.0.1")
	cfg := upstream.Config{Upstream: config.Upstream{Target: "dns://" + z.address + "/orders.test:" + port, Breaker: patient}}
	orders := client(t, open(t, cfg, quiet(t)))

	becomes(t, orders, "127.0.0.1")

	z.is("127.0.0.2")
	time.Sleep(5 * soon)
	becomes(t, orders, "127.0.0.1")

	stop["127.0.0.1"]()
	becomes(t, orders, "127.0.0.2")
}

// quiet are collaborators that nobody asks.
func quiet(tb testing.TB) upstream.Deps {
	tb.Helper()

	d, _ := deps(tb)

	return d
}
