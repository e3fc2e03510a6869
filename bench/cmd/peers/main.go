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

// run starts the peer of that name: "backend"; "vanilla" or "floor" with the address of the backend; "usual" with the file of the
// key set besides.
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
	case len(args) == 3 && args[0] == "usual":
		return serve(usual(args[1], args[2]))
	case len(args) == 2 && args[0] == "floor":
		return serve(floor(args[1]))
	default:
		return fmt.Errorf("no such peer: %q", args)
	}
}

// peer is a gateway.
type peer struct {
	server *http.Server
	// metrics have what was allocated, under the name that the collector of Prometheus gives it.
	metrics http.Handler
}

// plainly serves with the defaults of net/http.
func plainly(handler http.Handler) peer {
	return peer{server: &http.Server{Handler: handler}, metrics: http.HandlerFunc(writeAllocations)}
}

// serve serves clients, and the benchmark with the metrics. It prints both addresses.
func serve(p peer, err error) error {
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
	mux.Handle("GET /metrics", p.metrics)

	failed := make(chan error, 2)

	go func() { failed <- http.Serve(admin, mux) }()
	go func() { failed <- p.server.Serve(listener) }()

	fmt.Printf("listening address=%s admin=%s\n", listener.Addr(), admin.Addr())

	return <-failed
}
