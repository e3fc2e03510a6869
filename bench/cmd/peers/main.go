// Command peers is what the benchmark compares Portico with, and the backend behind all of them. Each runs as a process of its own,
// so that their CPU can be told apart. They end when their standard input does.
package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		slog.Error("peer", "error", err)
		os.Exit(1)
	}
}

// run starts the peer of that name: "backend", or "vanilla" or "floor" with the address of the backend.
func run(args []string) error {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)

		os.Exit(0)
	}()

	switch {
	case len(args) == 1 && args[0] == "backend":
		return runBackend()
	case len(args) == 2 && args[0] == "vanilla":
		return serve(vanilla(args[1]))
	case len(args) == 2 && args[0] == "floor":
		return serve(floor(args[1]))
	default:
		return fmt.Errorf("no such peer: %q", args)
	}
}

// serve answers clients with the handler, and the benchmark with what was allocated. It prints both addresses.
func serve(handler http.Handler, err error) error {
	if err != nil {
		return err
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}

	admin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", writeAllocations)

	failed := make(chan error, 2)

	go func() { failed <- http.Serve(admin, mux) }()
	go func() { failed <- http.Serve(listener, handler) }()

	fmt.Printf("listening address=%s admin=%s\n", listener.Addr(), admin.Addr())

	return <-failed
}
