package replicas_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/tool/drill/faultproxy"
)

// commandTimeout is the redis.timeout of the gateways.
const commandTimeout = 2 * time.Second

// disturbed is a Redis that something happens to, and the network before it.
type disturbed struct {
	*redistest.Server

	network *faultproxy.Proxy
}

// fault is something that happens to a Redis.
type fault struct {
	// name is that in the documentation, and key that of the test.
	name, key string
	args      []string
	// begin and end change the Redis.
	begin, end func(t *testing.T, r disturbed)
	// works reports that Redis goes on to serve, so that no breaker opens.
	works bool
}

// faults are in the order of the table.
func faults() []fault {
	return []fault{
		{
			name: "cannot be reached", key: "unreachable",
			begin: func(_ *testing.T, r disturbed) { r.network.Point("", ""); r.network.Cut() },
			end:   func(_ *testing.T, r disturbed) { r.network.Point("tcp", r.Addr) },
		},
		{
			name: "hangs (SIGSTOP)", key: "hangs",
			begin: func(_ *testing.T, r disturbed) { r.Freeze() },
			end:   func(_ *testing.T, r disturbed) { r.Thaw() },
		},
		{
			name: "is slower than `redis.timeout`", key: "slow",
			begin: func(_ *testing.T, r disturbed) { r.network.Set(faultproxy.Fault{Latency: commandTimeout}) },
			end:   func(_ *testing.T, r disturbed) { r.network.Set(faultproxy.Fault{}) },
		},
		{
			name: "has another password", key: "password",
			begin: func(t *testing.T, r disturbed) {
				t.Helper()
				r.do(t, "ACL", "SETUSER", "portico", "resetpass", ">another")
				r.do(t, "CLIENT", "KILL", "USER", "portico")
			},
			end: func(t *testing.T, r disturbed) {
				t.Helper()
				r.do(t, "ACL", "SETUSER", "portico", "resetpass", ">secret")
			},
		},
		{
			name: "becomes a replica", key: "replica",
			begin: func(t *testing.T, r disturbed) { t.Helper(); r.do(t, "REPLICAOF", "127.0.0.1", "1") },
			end:   func(t *testing.T, r disturbed) { t.Helper(); r.do(t, "REPLICAOF", "NO", "ONE") },
		},
		{
			name: "is out of memory (`noeviction`)", key: "out_of_memory", works: true,
			begin: func(t *testing.T, r disturbed) { t.Helper(); r.do(t, "CONFIG", "SET", "maxmemory", "1") },
			end:   func(t *testing.T, r disturbed) { t.Helper(); r.do(t, "CONFIG", "SET", "maxmemory", "0") },
		},
		{
			name: "evicts (`allkeys-lru`)", key: "evicts", works: true, args: []string{"--maxmemory-policy", "allkeys-lru"},
			begin: func(t *testing.T, r disturbed) { t.Helper(); r.evict(t) },
			end:   func(t *testing.T, r disturbed) { t.Helper(); r.do(t, "CONFIG", "SET", "maxmemory", "0") },
		},
		{
			name: "ends, and begins empty", key: "begins_empty",
			begin: func(_ *testing.T, r disturbed) { r.Stop() },
			end:   func(t *testing.T, r disturbed) { t.Helper(); r.Restart(); r.createUser(t) },
		},
	}
}

// do sends a command as an operator. An error reply ends the test.
func (r disturbed) do(t *testing.T, args ...string) string {
	t.Helper()

	reply := r.Do(args...)
	if strings.HasPrefix(reply, "-") {
		t.Fatalf("%v: %s", args, reply)
	}

	return reply
}

// createUser creates the user of the gateways.
func (r disturbed) createUser(t *testing.T) {
	t.Helper()
	r.do(t, "ACL", "SETUSER", "portico", "on", ">secret", "~portico:*", "+@all")
}

// evict has Redis evict everything of the gateways, in favour of keys that are used more recently.
func (r disturbed) evict(t *testing.T) {
	t.Helper()

	const (
		spare = 200 << 10
		fill  = `for i = 1, 1000 do redis.call('SET', 'filler:' .. ARGV[1] .. ':' .. i, string.rep('x', 200)) end`
	)

	_, used, _ := strings.Cut(r.do(t, "INFO", "memory"), "\nused_memory:")
	used, _, _ = strings.Cut(used, "\r")

	bytes, err := strconv.Atoi(used)
	if err != nil {
		t.Fatal(err)
	}

	r.do(t, "CONFIG", "SET", "maxmemory", strconv.Itoa(bytes+spare))

	for round := 0; r.do(t, "KEYS", "portico:*") != "*0\r\n"; round++ {
		r.do(t, "EVAL", fill, "0", strconv.Itoa(round))
	}
}

// startProbe starts two gateways over a Redis with the arguments, which is behind a proxy.
func startProbe(t *testing.T, args []string, configure func(url string) func(*config.Config)) *probe {
	t.Helper()

	network, err := faultproxy.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})

	r := disturbed{redistest.Start(t, args...), network}
	r.createUser(t)
	network.Point("tcp", r.Addr)

	gateways, backend := gatewaytest.StartTwins(t, configure("redis://portico:secret@"+network.Address()))

	return &probe{
		t: t, redis: r, gateways: gateways, backend: backend, client: gatewaytest.PlainClient(t),
		caller: gateways[0].As(t, "alice", "users:admin"),
	}
}
