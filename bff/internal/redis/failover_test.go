package redis_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// traffic are commands that write, one after the other, on several goroutines.
type traffic struct {
	served, failed atomic.Int64
	stop           context.CancelFunc
	running        sync.WaitGroup
}

func startTraffic(t *testing.T, client *redis.Client) *traffic {
	t.Helper()

	const workers = 4

	ctx, stop := context.WithCancel(t.Context())
	script := redis.NewScript("count", countSource)
	all := keys(client, 100)
	running := &traffic{stop: stop}

	for worker := range workers {
		running.running.Go(func() {
			for i := worker; ctx.Err() == nil; i++ {
				switch err := client.Run(ctx, script, []string{all[i%len(all)]}, 1).Err(); {
				case err == nil:
					running.served.Add(1)
				case !errors.Is(err, redis.ErrUnavailable):
					t.Errorf("got %v", err)
				case ctx.Err() == nil:
					running.failed.Add(1)
				}

				time.Sleep(time.Millisecond)
			}
		})
	}

	t.Cleanup(running.end)
	running.goesOn(t)

	return running
}

func (r *traffic) end() {
	r.stop()
	r.running.Wait()
}

// goesOn waits until a hundred commands in a row were served.
func (r *traffic) goesOn(t *testing.T) {
	t.Helper()

	served, failed := r.served.Load(), r.failed.Load()
	eventually(t, "served", func() bool {
		if now := r.failed.Load(); now > failed {
			served, failed = r.served.Load(), now
		}

		return r.served.Load() > served+100
	})
}

// What was replicated is there after a failover, whoever has the old connections is served by the new primary, and the breaker
// closes by itself.
func TestFailoverOfSentinel(t *testing.T) {
	t.Parallel()

	servers := redistest.StartSentinel(t)
	settings := servers.Settings()
	settings.Timeout = slack
	client := open(t, redis.Config{Redis: settings.WithDefaults(), OpenFor: 20 * time.Millisecond})

	if err := client.Set(t.Context(), client.Key("before"), "1", 0).Err(); err != nil {
		t.Fatal(err)
	}

	if replicas, err := client.Do(t.Context(), "WAIT", 1, (slack / 2).Milliseconds()).Int(); err != nil || replicas != 1 {
		t.Fatalf("%d replicas, %v", replicas, err)
	}

	load := startTraffic(t, client)
	old := servers.Primary

	servers.Failover()
	load.goesOn(t)
	// The old one is not needed any more.
	old.Stop()
	load.goesOn(t)

	if got, err := client.Get(t.Context(), client.Key("before")).Result(); got != "1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}

	if info := servers.Primary.Do("INFO", "replication"); !strings.Contains(info, "role:master") {
		t.Errorf("traffic goes to %s", info)
	}

	eventually(t, "closed", func() bool { return client.State() == redis.StateClosed })
}

// Sentinels that are gone are not needed for what is connected.
func TestSentinelIsGone(t *testing.T) {
	t.Parallel()

	servers := redistest.StartSentinel(t)
	settings := servers.Settings()
	settings.Timeout = slack
	client := open(t, redis.Config{Redis: settings.WithDefaults()})
	load := startTraffic(t, client)

	servers.Sentinel.Stop()
	load.goesOn(t)

	if failed := load.failed.Load(); failed > 0 || client.State() != redis.StateClosed {
		t.Errorf("%d failed", failed)
	}
}

// switchboard forwards connections to a server that can change, as a name or an address does that follows a primary. Connections
// that exist stay where they are.
func switchboard(t *testing.T, to string) (addr string, change func(to string)) {
	t.Helper()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = listener.Close() })

	var target atomic.Value

	target.Store(to)

	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}

			out, err := net.Dial("tcp", target.Load().(string))
			if err != nil {
				_ = in.Close()
				continue
			}

			go forward(in, out)
			go forward(out, in)
		}
	}()

	return listener.Addr().String(), func(to string) { target.Store(to) }
}

func forward(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = from.Close(), to.Close()
}

// Once, each of the connections to a server that became a replica had to fail a command, and those opened the breaker.
func TestReplicaIsLeft(t *testing.T) {
	t.Parallel()

	old, next := redistest.Start(t), redistest.Start(t)
	addr, change := switchboard(t, old.Addr)
	client := open(t, redis.Config{Redis: config.Redis{Addresses: []string{addr}, Timeout: slack}.WithDefaults(), OpenFor: time.Minute})

	// There are many connections.
	if err := errors.Join(busy(t, client, 20, "0.5")...); err != nil {
		t.Fatal(err)
	}

	host, port, _ := net.SplitHostPort(next.Addr)
	old.Do("REPLICAOF", host, port)
	change(next.Addr)

	script := redis.NewScript("count", countSource)
	if err := client.Run(t.Context(), script, keys(client, 1), 1).Err(); err != nil {
		t.Error(err)
	}

	if err := client.Set(t.Context(), client.Key("a"), "1", 0).Err(); err != nil || client.State() != redis.StateClosed {
		t.Errorf("%v, the breaker is %s", err, client.State())
	}

	if got := next.Do("DBSIZE"); got == ":0\r\n" {
		t.Error("nothing is in the new primary")
	}
}
