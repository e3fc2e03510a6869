package redistest

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

// slots of a Cluster.
const slots = 16384

// StartCluster starts a Redis Cluster of so many primaries, which share the slots evenly, with more arguments if given. It is ready
// after some three seconds.
func StartCluster(tb testing.TB, primaries int, args ...string) []*Server {
	tb.Helper()

	nodes := make([]*Server, primaries)
	for i := range nodes {
		nodes[i] = startNode(tb, args...)

		first, last := i*slots/primaries, (i+1)*slots/primaries-1
		nodes[i].Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		// As redis-cli does: nodes with the same epoch settle on others later, which may undo that a slot was moved.
		nodes[i].Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}

	for _, node := range nodes[1:] {
		node.meet(nodes[0])
	}

	for _, node := range nodes {
		node.until(fmt.Sprintf("cluster_known_nodes:%d\r\n", primaries), "CLUSTER", "INFO")
		node.until(fmt.Sprintf("cluster_slots_ok:%d\r\n", slots), "CLUSTER", "INFO")
		node.until("cluster_state:ok", "CLUSTER", "INFO")
	}

	return nodes
}

func startNode(tb testing.TB, args ...string) *Server {
	tb.Helper()

	return Start(tb, append([]string{"--cluster-enabled", "yes", "--cluster-port", busPort, "--repl-diskless-sync-delay", "0"}, args...)...)
}

// AddReplica adds a replica of a node to a Cluster, and waits until it has what that has, and all nodes know it.
func AddReplica(tb testing.TB, nodes []*Server, of *Server) *Server {
	tb.Helper()

	replica := startNode(tb)
	replica.meet(of)
	replica.until(of.id(), "CLUSTER", "NODES")
	replica.until("cluster_state:ok", "CLUSTER", "INFO")
	replica.until("+OK\r\n", "CLUSTER", "REPLICATE", of.id())
	replica.until("master_link_status:up", "INFO", "replication")

	for _, node := range nodes {
		node.until("slave "+of.id(), "CLUSTER", "NODES")
	}

	return replica
}

// Promote makes a replica of a Cluster the primary, without losing anything.
func Promote(replica *Server) {
	replica.until("+OK\r\n", "CLUSTER", "FAILOVER")
	replica.until("role:master", "INFO", "replication")
}

// MoveSlot moves the slot of a key to another node of a Cluster. Between is called when some of its keys have been moved: the given
// ones, if they exist.
func MoveSlot(key string, from, to *Server, between func(), moved ...string) {
	slot := strings.Trim(from.Do("CLUSTER", "KEYSLOT", key), ":\r\n")
	host, port, _ := net.SplitHostPort(to.Addr)
	migrate := func(keys ...string) {
		if len(keys) > 0 {
			from.Do(append([]string{"MIGRATE", host, port, "", "0", "5000", "KEYS"}, keys...)...)
		}
	}

	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id())
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id())
	migrate(moved...)
	between()

	// Keys may be made meanwhile, but only at the new node.
	migrate(texts(from.Do("CLUSTER", "GETKEYSINSLOT", slot, "1000"))...)

	for _, node := range []*Server{to, from} {
		node.Do("CLUSTER", "SETSLOT", slot, "NODE", to.id())
	}
}

// texts returns the elements of a reply that is a list.
func texts(reply string) (elements []string) {
	lines := strings.Split(reply, "\r\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "$") {
			elements = append(elements, lines[i+1])
		}
	}

	return elements
}

func (s *Server) id() string {
	s.tb.Helper()

	return texts(s.Do("CLUSTER", "MYID"))[0]
}

func (s *Server) meet(other *Server) {
	s.tb.Helper()

	host, port, _ := net.SplitHostPort(other.Addr)
	s.Do("CLUSTER", "MEET", host, port, other.bus)
}
