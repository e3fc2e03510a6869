package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// MasterName is what a Sentinel of this package calls the primary.
const MasterName = "shared"

// Sentinels are a Sentinel and what it watches.
type Sentinels struct {
	// Sentinel is what clients are told. It never fails over on its own within a test.
	Sentinel *Server
	// Primary and Replica are as of the start, and change their roles with Failover.
	Primary, Replica *Server
}

// StartSentinel starts a primary, with more arguments if given, a replica of it, and one Sentinel.
func StartSentinel(tb testing.TB, args ...string) *Sentinels {
	tb.Helper()

	// Otherwise the first replica waits for others.
	args = append([]string{"--repl-diskless-sync-delay", "0"}, args...)
	s := &Sentinels{Primary: Start(tb, args...)}
	host, port, _ := net.SplitHostPort(s.Primary.Addr)

	s.Replica = Start(tb, append([]string{"--replicaof", host + " " + port}, args...)...)
	s.Replica.until("master_link_status:up", "INFO", "replication")

	path := filepath.Join(tb.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor %[1]s %[2]s %[3]s 1\nsentinel down-after-milliseconds %[1]s 600000\n", MasterName, host, port)

	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}

	s.Sentinel = Start(tb, path, "--sentinel")

	return s
}

// Failover makes the replica the primary, and returns when the Sentinel says so.
func (s *Sentinels) Failover() {
	s.Sentinel.tb.Helper()
	// The Sentinel may not know the replica yet.
	s.Sentinel.until("+OK\r\n", "SENTINEL", "FAILOVER", MasterName)

	_, port, _ := net.SplitHostPort(s.Replica.Addr)
	s.Sentinel.until("\r\n"+port+"\r\n", "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName)

	s.Primary, s.Replica = s.Replica, s.Primary
}
