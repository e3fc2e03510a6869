// Command peers is what the benchmark compares Portico with, and the backend behind all of them. Each runs as a process of its own,
// so that their CPU can be told apart. They end when their standard input does.
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		slog.Error("peer", "error", err)
		os.Exit(1)
	}
}

// run starts the peer of that name: "backend"; "vanilla" or "floor" with the address of the backend; "usual" with the file of the
// key set besides. With the flags it serves TLS.
func run(args []string) error {
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	certFile := flags.String("cert", "", "certificate, in PEM")
	keyFile := flags.String("key", "", "its key, in PEM")

	if err := flags.Parse(args); err != nil {
		return err
	}

	args = flags.Args()

	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)

		os.Exit(0)
	}()

	var (
		p   peer
		err error
	)

	switch {
	case len(args) == 1 && args[0] == "backend":
		return runBackend()
	case len(args) == 2 && args[0] == "vanilla":
		p, err = vanilla(args[1])
	case len(args) == 3 && args[0] == "usual":
		p, err = usual(args[1], args[2])
	case len(args) == 2 && args[0] == "floor":
		p, err = floor(args[1])
	default:
		err = fmt.Errorf("no such peer: %q", args)
	}

	if err != nil {
		return err
	}

	return p.serve(*certFile, *keyFile)
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

// serve serves clients, over TLS if there is a certificate, and the benchmark with the metrics. It prints both addresses.
func (p peer) serve(certFile, keyFile string) error {
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
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)

	failed := make(chan error, 2)

	go func() { failed <- http.Serve(admin, mux) }()
	go func() {
		if certFile == "" {
			failed <- p.server.Serve(listener)
		} else {
			failed <- p.server.ServeTLS(listener, certFile, keyFile)
		}
	}()

	fmt.Printf("listening address=%s admin=%s\n", listener.Addr(), admin.Addr())

	return <-failed
}
