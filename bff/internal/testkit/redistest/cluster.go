package redistest

import (
	"fmt"
	"net"
	"strconv"
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
		nodes[i] = start(tb, func(_ string, further int) []string {
			return append([]string{
				"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(further),
				"--cluster-config-file", fmt.Sprintf("nodes-%d.conf", further),
			}, args...)
		})

		first, last := i*slots/primaries, (i+1)*slots/primaries-1
		nodes[i].Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
	}

	for _, node := range nodes[1:] {
		host, port, _ := net.SplitHostPort(node.Addr)
		nodes[0].Do("CLUSTER", "MEET", host, port, strconv.Itoa(node.further))
	}

	for _, node := range nodes {
		node.until(fmt.Sprintf("cluster_known_nodes:%d\r\n", primaries), "CLUSTER", "INFO")
		node.until("cluster_state:ok", "CLUSTER", "INFO")
	}

	return nodes
}

// Addrs returns the addresses of servers.
func Addrs(servers []*Server) []string {
	addrs := make([]string, len(servers))
	for i, s := range servers {
		addrs[i] = s.Addr
	}

	return addrs
}
