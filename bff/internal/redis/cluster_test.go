package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// ownedBy returns a key of the client whose slot a node of a Cluster has.
func ownedBy(t *testing.T, client *redis.Client, node *redistest.Server) string {
	t.Helper()

	for i := range 1000 {
		if key := client.Key(fmt.Sprint("owned-", i)); !strings.HasPrefix(node.Do("GET", key), "-MOVED") {
			return key
		}
	}

	t.Fatal("no key")

	return ""
}

func TestClusterThatChanges(t *testing.T) { //nolint:tparallel // See below.
	t.Parallel()

	nodes := redistest.StartCluster(t, 3)
	settings := redistest.ClusterSettings(nodes)
	settings.Timeout = slack
	client := open(t, redis.Config{Redis: settings.WithDefaults()})
	load := startTraffic(t, client)

	t.Run("slot_is_moved", func(t *testing.T) { //nolint:paralleltest // They share a Cluster.
		slotIsMoved(t, client, nodes)
		load.goesOn(t)

		if failed := load.failed.Load(); failed > 0 {
			t.Errorf("%d failed", failed)
		}
	})
	t.Run("replica_is_promoted", func(t *testing.T) { //nolint:paralleltest // They share a Cluster.
		key, script := ownedBy(t, client, nodes[2]), redis.NewScript("count", countSource)
		if err := client.Run(t.Context(), script, []string{key}, 7).Err(); err != nil {
			t.Fatal(err)
		}

		redistest.Promote(redistest.AddReplica(t, nodes, nodes[2]))
		load.goesOn(t)
		// The old one is not needed any more.
		nodes[2].Stop()
		load.goesOn(t)

		if got, err := client.Run(t.Context(), script, []string{key}, 0).Int(); err != nil || got != 7 {
			t.Errorf("got %d, %v", got, err)
		}
	})

	if client.State() != redis.StateClosed {
		t.Errorf("the breaker is %s", client.State())
	}
}

// slotIsMoved moves a slot while its keys are used. Each command is executed once.
func slotIsMoved(t *testing.T, client *redis.Client, nodes []*redistest.Server) {
	t.Helper()

	script := redis.NewScript("count", countSource)
	key := ownedBy(t, client, nodes[0])
	// All are in the slot of the key.
	moved, stays, made := key, "{"+key+"}:stays", "{"+key+"}:made"
	add := func(key string, want int) {
		if got, err := client.Run(t.Context(), script, []string{key}, 1).Int(); err != nil || got != want {
			t.Errorf("%s: got %d, %v; want %d", key, got, err, want)
		}
	}

	add(moved, 1)
	add(stays, 1)
	redistest.MoveSlot(key, nodes[0], nodes[1], func() {
		add(moved, 2)
		add(stays, 2)
		add(made, 1)

		calls := []redis.Call{{Keys: []string{moved}, Args: []any{0}}, {Keys: []string{stays}, Args: []any{0}}}
		for _, cmd := range client.RunEach(t.Context(), script, calls) {
			if got, err := cmd.Int(); err != nil || got != 2 {
				t.Errorf("got %d, %v", got, err)
			}
		}
	}, moved)
	add(moved, 3)
	add(stays, 3)
	add(made, 2)
}

// Once a node of a Cluster was gone, the breaker refused the commands for all others, too.
func TestNodeOfAClusterIsGone(t *testing.T) {
	t.Parallel()

	// Otherwise none serves when one is missed.
	nodes := redistest.StartCluster(t, 3, "--cluster-require-full-coverage", "no")
	settings := redistest.ClusterSettings(nodes)
	settings.Timeout = slack
	client := open(t, redis.Config{Redis: settings.WithDefaults()})
	script := redis.NewScript("count", countSource)

	var owned []string
	for _, node := range nodes {
		owned = append(owned, ownedBy(t, client, node))
	}

	run := func(node int) error { return client.Run(t.Context(), script, owned[node:node+1], 1).Err() }

	for node := range nodes {
		if err := run(node); err != nil {
			t.Fatal(err)
		}
	}

	nodes[1].Stop()

	for range 50 {
		if err := errors.Join(run(0), run(2)); err != nil {
			t.Fatal(err)
		}

		wantUnavailable(t, run(1))
	}

	var calls []redis.Call
	for _, key := range owned {
		calls = append(calls, redis.Call{Keys: []string{key}, Args: []any{1}})
	}

	cmds := client.RunEach(t.Context(), script, calls)
	if err := errors.Join(cmds[0].Err(), cmds[2].Err()); err != nil {
		t.Error(err)
	}

	wantUnavailable(t, cmds[1].Err())

	if client.State() != redis.StateClosed {
		t.Errorf("the breaker is %s", client.State())
	}

	nodes[1].Restart()
	eventually(t, "back", func() bool { return run(1) == nil })
}

// All nodes are gone, and then they are back.
func TestClusterIsGone(t *testing.T) {
	t.Parallel()

	var told watched

	nodes := redistest.StartCluster(t, 3)
	settings := redistest.ClusterSettings(nodes)
	settings.Timeout = slack
	client := openObserved(t, redis.Config{Redis: settings.WithDefaults(), OpenFor: 50 * time.Millisecond}, told.observer())
	load := startTraffic(t, client)

	for _, node := range nodes {
		node.Stop()
	}

	eventually(t, "open", func() bool { return client.State() == redis.StateOpen })
	told.await(t, "redis is unavailable")

	for _, node := range nodes {
		node.Restart()
	}

	load.goesOn(t)
	eventually(t, "told", func() bool { return len(told.lines("redis is available again")) == 1 })
}

// A gateway that takes a Cluster for one server is told so by most keys.
func TestClusterThatIsTakenForAServer(t *testing.T) {
	t.Parallel()

	var told watched

	nodes := redistest.StartCluster(t, 3)
	client := openObserved(t, redis.Config{Redis: config.Redis{URL: nodes[0].URL(), Timeout: slack}.WithDefaults()}, told.observer())

	wantUnavailable(t, client.Set(t.Context(), ownedBy(t, client, nodes[1]), "1", 0).Err())

	if lines := told.await(t, "redis is unavailable"); !strings.Contains(lines[0], "reason=moved") {
		t.Errorf("told %q", lines)
	}
}
