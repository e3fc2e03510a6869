package replicas_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/tool/drill/faultproxy"
)

// disturbed is a Redis that something happens to, and the network before it.
type disturbed struct {
	*redistest.Server

	network *faultproxy.Proxy
	// replica is nil without one.
	replica *redistest.Server
}

// do sends a command as an operator. An error reply ends the test.
func (r *disturbed) do(t *testing.T, args ...string) string {
	t.Helper()

	reply := r.Do(args...)
	if strings.HasPrefix(reply, "-") {
		t.Fatalf("%v: %s", args, reply)
	}

	return reply
}

// createUser creates the user of the gateways.
func (r *disturbed) createUser(t *testing.T) {
	t.Helper()
	r.do(t, "ACL", "SETUSER", "portico", "on", ">secret", "~portico:*", "+@all")
}

// failOver has the replica take over, which has everything by then. Gateways are still connected to the other, a replica from now on.
func (r *disturbed) failOver(t *testing.T) {
	t.Helper()
	// What was written before is there if this is.
	r.do(t, "SET", "marker", "written")
	gatewaytest.Eventually(t, "replication", func() bool { return strings.Contains(r.replica.Do("GET", "marker"), "written") })

	r.Server, r.replica = r.replica, r.Server
	r.do(t, "REPLICAOF", "NO", "ONE")
	// Users are not replicated.
	r.createUser(t)
	r.replica.Do("REPLICAOF", "127.0.0.1", "1")
}

// evict has Redis evict everything of the gateways, in favour of keys that are used more recently.
func (r *disturbed) evict(t *testing.T) {
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
