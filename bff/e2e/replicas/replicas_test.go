package replicas_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Three gateways over one Redis are one gateway to a client.
func TestReplicas(t *testing.T) { //nolint:tparallel // They share the gateways.
	t.Parallel()

	f := startFleet(t)

	t.Run("at_rest", func(t *testing.T) {
		for name, test := range map[string]func(t *testing.T){
			"limits": f.limitsAreShared, "rate": f.rateIsShared, "invalidation": f.writesAreSeen, "idempotency": f.keysAreShared,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t)
			})
		}
	})

	l := f.startLoad(t)
	t.Cleanup(l.stop)
	l.more(t)

	t.Run("rolling_reload", func(t *testing.T) { f.rollingReload(t, l) })
	t.Run("rolling_restart", func(t *testing.T) { f.rollingRestart(t, l) })

	l.stop()
	t.Logf("%d requests, %d events, %d streams connected again", l.sent.Load(), l.events.Load(), l.reconnected.Load())
}

// A changed configuration is loaded by one gateway after the other, and nobody notices: streams go on as well.
func (f *fleet) rollingReload(t *testing.T, l *load) {
	t.Helper()

	before, open := l.reconnected.Load(), f.startTransfers(t)

	for _, g := range f.gateways {
		writeFile(t, g.file, strings.Replace(g.configuration(t), "limits: {", "cache: {max_bytes: 1000000}\nlimits: {max_keys: 1000, ", 1))
		g.signal(t, syscall.SIGHUP)
		gatewaytest.Eventually(t, "the reload", func() bool { return g.lines(`"msg":"configuration reloaded"`) == 1 })
		l.more(t)
	}

	open.finish(t, f)

	if again := l.reconnected.Load() - before; again != 0 {
		t.Errorf("%d streams had to connect again", again)
	}
}

// One gateway after the other is replaced. No request fails, transfers go on in a gateway that drains, and streams go on at another one.
func (f *fleet) rollingRestart(t *testing.T, l *load) {
	t.Helper()

	waited, before := 0, l.reconnected.Load()

	for _, g := range f.gateways {
		open := f.startTransfers(t)

		g.signal(t, syscall.SIGTERM)
		gatewaytest.Eventually(t, "no connections being accepted", g.refuses)
		l.more(t)

		if !g.hasEnded() {
			waited++ // For the transfers that are in it.
		}

		open.finish(t, f)
		<-g.ended

		if code := g.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s: exit code %d", g.host, code)
		}

		g.start(t)
		g.awaitReady(t)
		gatewaytest.Eventually(t, "its share of the load", func() bool { return t.Failed() || g.lines(`"msg":"request"`) > 0 })
		l.more(t)
	}

	if waited == 0 {
		t.Error("no gateway had anything to finish")
	}

	if again := l.reconnected.Load() - before; again == 0 {
		t.Error("no stream has moved to another gateway")
	}
}
