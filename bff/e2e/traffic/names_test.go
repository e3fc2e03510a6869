package traffic_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/nameserver"
)

// named is a gateway whose user service is behind a DNS name, and the backends that may be: on the same port of two addresses.
type named struct {
	*gatewaytest.Site

	client   *http.Client
	request  gatewaytest.Request
	names    *nameserver.Server
	backends map[string]*gatewaytest.FlakyBackend
}

const firstIP, secondIP = "127.0.0.1", "127.0.0.2"

// startNamed starts one whose name has the first address. The name is looked up at the interval.
func startNamed(t *testing.T, interval time.Duration) *named {
	t.Helper()

	n := &named{names: nameserver.Start(t, firstIP), client: gatewaytest.PlainClient(t)}
	first := gatewaytest.StartFlakyBackendAt(t, firstIP+":0")

	_, port, err := net.SplitHostPort(first.Address)
	if err != nil {
		t.Fatal(err)
	}

	second := gatewaytest.StartFlakyBackendAt(t, net.JoinHostPort(secondIP, port))
	n.backends = map[string]*gatewaytest.FlakyBackend{firstIP: first, secondIP: second}

	n.Site = gatewaytest.Start(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)

		c.Upstreams["user"] = config.Upstream{
			Target: "dns://" + n.names.Address + "/" + nameserver.Name + ":" + port, RefreshInterval: interval,
			// Its time to half-open is not what is measured.
			Breaker: config.Breaker{MinRequests: 1e6},
		}
	})
	n.request = gatewaytest.Request{Target: aliceAccount, Header: n.As(t, "alice")}

	return n
}

// reaches reports whether a request is a success, and has reached this backend.
func (n *named) reaches(t *testing.T, ip string) bool {
	t.Helper()

	n.backends[ip].TakeCalls()

	return n.MustSend(t, n.client, n.request).Status == http.StatusOK && n.backends[ip].Count() > 0
}

// gRPC looks a name up at most every 30 seconds: with any interval, calls went to the old addresses for so long. What a test waits
// for at most is much less.
func TestAddressesAreFollowedWithinTheRefreshInterval(t *testing.T) {
	t.Parallel()

	n := startNamed(t, time.Second)

	// The old backend is as good as ever.
	for _, ip := range []string{firstIP, secondIP, firstIP, secondIP} {
		n.names.Set(ip)
		gatewaytest.Eventually(t, "a request at "+ip, func() bool { return n.reaches(t, ip) })
	}

	gatewaytest.Eventually(t, "no more requests elsewhere", func() bool {
		n.backends[firstIP].TakeCalls()

		for range 5 {
			if !n.reaches(t, secondIP) {
				return false
			}
		}

		return n.backends[firstIP].Count() == 0
	})
}

func TestNameIsResolvedAtOnceWhenAllAddressesFail(t *testing.T) {
	t.Parallel()

	n := startNamed(t, time.Hour)
	gatewaytest.Eventually(t, "a request", func() bool { return n.reaches(t, firstIP) })

	// DNS knows of it later than the gateway.
	n.backends[firstIP].Stop()

	before := n.names.Queries()

	gatewaytest.Eventually(t, "more than one lookup", func() bool {
		if n.reaches(t, firstIP) {
			t.Error("a backend that was stopped replied")
		}

		return n.names.Queries() > before+1
	})

	n.names.Set(secondIP)
	gatewaytest.Eventually(t, "a request at the new address", func() bool { return n.reaches(t, secondIP) })

	// However long there was no reply.
	if got := n.names.Queries() - before; got > 50 {
		t.Errorf("DNS was asked %d times", got)
	}
}

// What is known is used while DNS fails.
func TestAddressesAreKeptWhileDNSFails(t *testing.T) {
	t.Parallel()

	n := startNamed(t, time.Second)
	gatewaytest.Eventually(t, "a request", func() bool { return n.reaches(t, firstIP) })

	n.names.SetFailing(true)

	before := n.names.Queries()

	gatewaytest.Eventually(t, "lookups that fail", func() bool {
		if !n.reaches(t, firstIP) {
			t.Error("a request failed")
		}

		return n.names.Queries() > before+3
	})

	n.names.Set(secondIP)
	n.names.SetFailing(false)
	gatewaytest.Eventually(t, "a request at the new address", func() bool { return n.reaches(t, secondIP) })
}
