package servers

import (
	"os/exec"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

// Node starts a server of @grpc/grpc-js, the implementation of gRPC in JavaScript. It installs the package if it is missing.
func Node(tb testing.TB, config Config) *Server {
	tb.Helper()

	program := programs.Program(tb, "install npm and nodejs", "node")

	cmd := exec.Command(inTree(tb, "../../../../.ci/npm"), "bff/internal/testkit/servers/node")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("install @grpc/grpc-js: %v: %s", err, out)
	}

	return startServer(tb, config, program, inTree(tb, "node/server.js"))
}
