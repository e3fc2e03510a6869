package rediscache_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/cache/rediscache"
	"github.com/portico-gateway/portico/bff/internal/testkit/cachetest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// All nodes of a Cluster store responses. One that is gone takes its own with it, and invalidations are for those of the others.
func TestNodesOfAClusterShareTheResponses(t *testing.T) {
	t.Parallel()

	nodes := redistest.StartCluster(t, 3, "--cluster-require-full-coverage", "no")
	settings := redistest.ClusterSettings(nodes)
	settings.Timeout = patient

	store := rediscache.New(connect(t, settings))
	t.Cleanup(func() { _ = store.Close() })

	u := cachetest.User{TB: t, Store: store}

	const many = 60

	for i := range many {
		name := fmt.Sprint("k", i)
		u.Puts(name, cachetest.Entry("1", "t"), u.Now(name), time.Hour, true)
	}

	for i, node := range nodes {
		if entries := strings.Count(node.Do("KEYS", "portico:cache:{*}:entry:*"), "portico:"); entries < many/10 {
			t.Errorf("node %d has %d of %d entries", i, entries, many)
		}
	}

	nodes[1].Stop()

	if err := u.Invalidate(t.Context(), []string{"t"}); err == nil {
		t.Error("got no error")
	}

	for i := range many {
		found, err := u.Lookup(t.Context(), cachetest.Key(fmt.Sprint("k", i)))
		if err == nil && found.Entry != nil {
			t.Errorf("found %d, which is obsolete", i)
		}
	}

	nodes[1].Restart()
	eventually(t, "stored again", func() bool {
		for i := range many {
			key := cachetest.Key(fmt.Sprint("k", i))

			found, err := u.Lookup(t.Context(), key)
			if err != nil {
				return false
			}

			if stored, err := u.Put(t.Context(), key, cachetest.Entry("2", "t"), found.Now, time.Hour); err != nil || !stored {
				return false
			}
		}

		return true
	})
}

// What a failover of Sentinel has not lost is found at the new primary, and what was invalidated is obsolete there.
func TestFailoverKeepsWhatWasReplicated(t *testing.T) {
	t.Parallel()

	servers := redistest.StartSentinel(t)
	settings := servers.Settings()
	settings.Timeout = patient
	c := connect(t, settings)

	store := rediscache.New(c)
	t.Cleanup(func() { _ = store.Close() })

	u := cachetest.User{TB: t, Store: store}
	u.Puts("k", cachetest.Entry("1", "t"), u.Now("k"), time.Hour, true)
	u.Puts("l", cachetest.Entry("2", "u"), u.Now("l"), time.Hour, true)
	u.Invalidates("u")

	if err := c.Do(t.Context(), "WAIT", 1, patient.Milliseconds()).Err(); err != nil {
		t.Fatal(err)
	}

	servers.Failover()
	eventually(t, "available", func() bool {
		_, err := u.Lookup(t.Context(), cachetest.Key("k"))

		return err == nil
	})
	u.Finds("k", "1")
	u.Finds("l", "")
}
