package servers

import (
	"os/exec"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/needed"
)

// Python starts a server of grpcio, which is gRPC's core in C, as C++, Ruby, PHP and Objective-C have it, too.
func Python(tb testing.TB, config Config) *Server {
	tb.Helper()

	// Debian's comes first, for it is the one that Debian's grpcio is for.
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "import grpc").Run() == nil {
			return startServer(tb, config, name, inTree(tb, "python/server.py"))
		}
	}

	needed.Program(tb, "install python3-grpcio", "/usr/bin/python3 with grpcio")

	return nil
}
