package replicas_test

import (
	"net"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/tool/drill/faultproxy"
)

// What gateways have as redis.timeout.
const (
	// commandTimeout has to pass in tests.
	commandTimeout = 2 * time.Second
	// patientTimeout is never reached, even on a busy machine.
	patientTimeout = 10 * time.Second
)

// fault is something that happens to a Redis.
type fault struct {
	// name is that in the documentation, and key that of the test.
	name, key string
	args      []string
	// begin and end change the Redis.
	begin, end func(t *testing.T, r *disturbed)
	// works reports that Redis goes on to serve, so that no breaker opens.
	works bool
	// silent reports that there are no replies at all: gateways notice by their timeout.
	silent bool
	// anonymous gateways have no user and no password, and replicated is a Redis with a replica.
	anonymous, replicated bool
}

// faults are in the order of the table.
func faults() []fault {
	return []fault{
		{
			name: "cannot be reached", key: "unreachable", silent: true,
			begin: func(_ *testing.T, r *disturbed) { r.network.Point("", ""); r.network.Cut() },
			end:   func(_ *testing.T, r *disturbed) { r.network.Point("tcp", r.Addr) },
		},
		{
			name: "hangs (SIGSTOP)", key: "hangs", silent: true,
			begin: func(_ *testing.T, r *disturbed) { r.Freeze() },
			end:   func(_ *testing.T, r *disturbed) { r.Thaw() },
		},
		{
			name: "is slower than `redis.timeout`", key: "slow", silent: true,
			begin: func(_ *testing.T, r *disturbed) { r.network.Set(faultproxy.Fault{Latency: commandTimeout}) },
			end:   func(_ *testing.T, r *disturbed) { r.network.Set(faultproxy.Fault{}) },
		},
		{
			name: "has another password", key: "password",
			begin: func(t *testing.T, r *disturbed) {
				t.Helper()
				r.do(t, "ACL", "SETUSER", "portico", "resetpass", ">another")
				r.do(t, "CLIENT", "KILL", "USER", "portico")
			},
			end: func(t *testing.T, r *disturbed) {
				t.Helper()
				r.do(t, "ACL", "SETUSER", "portico", "resetpass", ">secret")
			},
		},
		{
			// Connections that exist are not asked for it.
			name: "gets a password (`requirepass`), gateways have none", key: "no_password", anonymous: true,
			begin: func(t *testing.T, r *disturbed) {
				t.Helper()
				r.do(t, "CONFIG", "SET", "requirepass", "secret")
				r.DoAs("secret", "CLIENT", "KILL", "TYPE", "normal")
			},
			end: func(_ *testing.T, r *disturbed) { r.DoAs("secret", "CONFIG", "SET", "requirepass", "") },
		},
		{
			name: "becomes a replica", key: "replica",
			begin: func(t *testing.T, r *disturbed) { t.Helper(); r.do(t, "REPLICAOF", "127.0.0.1", "1") },
			end:   func(t *testing.T, r *disturbed) { t.Helper(); r.do(t, "REPLICAOF", "NO", "ONE") },
		},
		{
			name: "fails over: becomes a replica, its replica gets the address", key: "failover", replicated: true,
			args:  []string{"--repl-diskless-sync-delay", "0"},
			begin: func(t *testing.T, r *disturbed) { t.Helper(); r.failOver(t) },
			end: func(_ *testing.T, r *disturbed) {
				r.network.Point("tcp", r.Addr)
				// Sentinels do this as well.
				r.replica.Do("CLIENT", "KILL", "TYPE", "normal")
			},
		},
		{
			name: "is out of memory (`noeviction`)", key: "out_of_memory", works: true,
			begin: func(t *testing.T, r *disturbed) { t.Helper(); r.do(t, "CONFIG", "SET", "maxmemory", "1") },
			end:   func(t *testing.T, r *disturbed) { t.Helper(); r.do(t, "CONFIG", "SET", "maxmemory", "0") },
		},
		{
			name: "evicts (`allkeys-lru`)", key: "evicts", works: true, args: []string{"--maxmemory-policy", "allkeys-lru"},
			begin: func(t *testing.T, r *disturbed) { t.Helper(); r.evict(t) },
			end:   func(t *testing.T, r *disturbed) { t.Helper(); r.do(t, "CONFIG", "SET", "maxmemory", "0") },
		},
		{
			name: "ends, and begins empty", key: "begins_empty", silent: true,
			begin: func(_ *testing.T, r *disturbed) { r.Stop() },
			end:   func(t *testing.T, r *disturbed) { t.Helper(); r.Restart(); r.createUser(t) },
		},
	}
}

// sharing is that of gateways whose Redis the fault happens to.
func (f fault) sharing(url string) func(*config.Config) {
	if f.silent {
		return sharing(url, commandTimeout)
	}

	return sharing(url, patientTimeout)
}

// startProbe starts two gateways over a Redis that the fault may happen to, which is behind a proxy.
func startProbe(t *testing.T, f fault, configure func(url string) func(*config.Config)) *probe {
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

	r := &disturbed{Server: redistest.Start(t, f.args...), network: network}
	r.createUser(t)
	network.Point("tcp", r.Addr)

	if f.replicated {
		r.replica = redistest.Start(t)
		host, port, _ := net.SplitHostPort(r.Addr)
		r.replica.Do("REPLICAOF", host, port)
	}

	user := "portico:secret@"
	if f.anonymous {
		user = ""
	}

	// Its start has asked as well.
	r.do(t, "CONFIG", "RESETSTAT")

	gateways, backend := gatewaytest.StartTwins(t, configure("redis://"+user+network.Address()))

	return &probe{
		t: t, redis: r, gateways: gateways, backend: backend, client: gatewaytest.PlainClient(t),
		caller: gateways[0].As(t, "alice", "users:admin"),
	}
}
