package servers

import (
	"os/exec"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

// Node starts a server of @grpc/grpc-js, the implementation of gRPC in JavaScript. It installs the package if it is missing.
func Node(tb testing.TB, config Config) *Server {
	tb.Helper()

	return startServer(tb, config, node(tb), inTree(tb, "node/server.js"))
}

// node returns the path of Node. It installs the packages for it that are missing.
func node(tb testing.TB) string {
	tb.Helper()

	program := programs.Program(tb, "install npm and nodejs", "node")

	cmd := exec.Command(inTree(tb, "../../../../.ci/npm"), "bff/internal/testkit/servers/node")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("install packages of npm: %v: %s", err, out)
	}

	return program
}
