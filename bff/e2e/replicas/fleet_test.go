package replicas_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// replicas is how many gateways there are.
const replicas = 3

// fleet is three gateways behind HAProxy, over one Redis and one backend.
type fleet struct {
	backend  *backend
	gateways [replicas]*gateway
	// balanced is HAProxy.
	balanced target
	issuer   *devissuer.DevIssuer
}

// configuration is that of a gateway. Nothing in it depends on how busy the machine is.
const configuration = `
server: {address: "%[1]s:8080", drain_delay: 1s, drain_timeout: 60s}
admin: {address: "%[1]s:8081"}
health: {address: "%[1]s:8082"}
client_ip: {trusted_proxies: [127.0.0.0/8]}
overload: {target_delay: 1h}
limits: {client: {requests: 1000000, burst: 1000000}}
redis: {url: %[2]q, timeout: 10s}
auth: {issuers: [{issuer: %[3]q, audiences: [%[4]q], jwks_file: %[5]q}]}
upstreams:
  user: &backend {addresses: [%[6]q], probe: {timeout: 1m}}
  order: *backend
  profile: *backend
  payment: *backend
  notification: *backend
policies:
  - {selector: "*", set: {timeout: 120s, rate_limits: [{requests: 1000000}]}}
  - {selector: profile.v1.ProfileService.GetProfile, set: {retry: {max_attempts: 1}}}
  - {selector: user.v1.UserService.UpdateUser, set: {rate_limits: [{requests: 200, per: 86400s, burst: 200}]}}
  - {selector: user.v1.UserService.DeleteUser, set: {rate_limits: [{requests: 200, daily: true}]}}
  - {selector: order.v1.OrderService.ListOrders, set: {rate_limits: [{requests: 20, burst: 100}]}}
`

func startFleet(t *testing.T) *fleet {
	t.Helper()

	issuer, err := devissuer.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	f := &fleet{backend: startBackend(t), issuer: issuer}
	redis, network, dir := redistest.Start(t), freeNetwork(t), t.TempDir()

	for i := range f.gateways {
		host := fmt.Sprint(network, i+1)
		file := filepath.Join(dir, host+".yaml")
		writeFile(t, file, fmt.Sprintf(configuration, host, redis.URL(), devissuer.IssuerName, devissuer.Audience, issuer.JWKSFile(),
			f.backend.Address))

		f.gateways[i] = &gateway{host: host, file: file, lives: t}
		f.gateways[i].start(t)
	}

	for _, g := range f.gateways {
		g.awaitReady(t)
	}

	f.balanced = newTarget(t, network+"10:80")
	servers.Balance(t, balancerConfiguration(t, network))

	return f
}

// balancerConfiguration is that in deploy/, with other addresses, and with many checks within the drain delay. HAProxy would give a check no
// more time than is between two of them, which is too little on a busy machine.
func balancerConfiguration(t *testing.T, network string) string {
	t.Helper()

	text, err := os.ReadFile("../../../deploy/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}

	changed := strings.NewReplacer(" 10.0.0.", " "+network, "inter 1s", "inter 50ms", "maxconn 20000", "maxconn 500",
		"timeout connect 2s", "timeout connect 60s\n\ttimeout check 60s").Replace(string(text))
	if strings.Count(changed, network) != replicas+1 || !strings.Contains(changed, "inter 50ms") || !strings.Contains(changed, "timeout check") {
		t.Fatalf("deploy/haproxy.cfg is not as expected: %s", changed)
	}

	return changed
}

// freeNetwork returns the beginning of loopback addresses that nobody uses, "127.64.1.". With addresses of its own, a gateway can have the
// same ports again after a restart: the kernel gives them to nobody else.
func freeNetwork(t *testing.T) string {
	t.Helper()

	const networks, bits = 64, 8

	for i := range networks {
		id := os.Getpid() + i
		network := fmt.Sprintf("127.%d.%d.", networks+id>>bits%networks, id%(1<<bits))

		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", network+"1:8080")
		if err == nil {
			_ = listener.Close()

			return network
		}
	}

	t.Fatal("no free addresses in 127.0.0.0/8")

	return ""
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()

	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// as returns the header of a caller.
func (f *fleet) as(t *testing.T, subject string) http.Header {
	t.Helper()

	token, err := f.issuer.Token(subject, nil, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}

	return http.Header{"Authorization": {"Bearer " + token}}
}

// direct returns the gateways themselves.
func (f *fleet) direct(t *testing.T) []target {
	t.Helper()

	targets := make([]target, 0, replicas)
	for _, g := range f.gateways {
		targets = append(targets, newTarget(t, g.host+":8080"))
	}

	return targets
}

// target is something that requests are sent to.
type target struct {
	site   *gatewaytest.Site
	client *http.Client
}

func newTarget(t *testing.T, address string) target {
	t.Helper()

	return target{site: &gatewaytest.Site{URL: "http://" + address}, client: gatewaytest.PlainClient(t)}
}

// send sends a request for the one site that all gateways are.
func (g target) send(t *testing.T, request gatewaytest.Request) (gatewaytest.Response, error) {
	t.Helper()

	request.Host = "shop.example"

	return g.site.Send(t.Context(), g.client, request)
}

// must is send for tests that cannot go on without a response.
func (g target) must(t *testing.T, request gatewaytest.Request) gatewaytest.Response {
	t.Helper()

	res, err := g.send(t, request)
	if err != nil {
		t.Fatal(err)
	}

	return res
}

// with returns a copy of a header with one more line.
func with(header http.Header, name, value string) http.Header {
	header = header.Clone()
	header.Set(name, value)

	return header
}

// served reports whether each of the gateways has logged a request of the caller.
func (f *fleet) served(t *testing.T, subject string) bool {
	t.Helper()

	return !slices.ContainsFunc(f.gateways[:], func(g *gateway) bool { return g.lines(`"principal":"`+subject+`"`) == 0 })
}
