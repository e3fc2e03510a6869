package servers

import (
	"os/exec"
	"sync"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/needed"
)

// install is done once: two at a time would get into each other's way.
var install sync.Mutex

// Node starts a server of @grpc/grpc-js, which is gRPC in JavaScript.
func Node(tb testing.TB, config Config) *Server {
	tb.Helper()

	program := needed.Program(tb, "install npm and nodejs", "node")
	dir := inTree(tb, "node")

	install.Lock()
	defer install.Unlock()

	cmd := exec.Command(inTree(tb, "../../../../.ci/npm"), "bff/internal/testkit/servers/node")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}

	return startServer(tb, config, program, dir+"/server.js")
}
