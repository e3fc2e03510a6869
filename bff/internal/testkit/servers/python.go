package servers

import (
	"os/exec"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

// Python starts a server of grpcio, which uses gRPC's C core like the implementations in C++, Ruby, PHP and Objective-C.
func Python(tb testing.TB, config Config) *Server {
	tb.Helper()

	// Debian's interpreter comes first because Debian's grpcio is installed for it.
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "import grpc").Run() == nil {
			return startServer(tb, config, name, inTree(tb, "python/server.py"))
		}
	}

	programs.Program(tb, "install python3-grpcio", "/usr/bin/python3 with grpcio")

	return nil
}
