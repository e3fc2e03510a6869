package observe_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/testkit/oteltest"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

func open(t *testing.T, cfg config.Tracing, transport *tls.Config, log *logOutput) *observe.Tracing {
	t.Helper()

	cfg.SampleRatio = 1

	tracing, err := observe.OpenTracing(t.Context(), config.Config{Tracing: cfg}.WithDefaults().Tracing, transport,
		slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}

	return tracing
}

// logOutput is a log that exporters write to in the background.
type logOutput struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *logOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.text.Write(p)
}

func (o *logOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.text.String()
}

func end(tracing *observe.Tracing, spans int) {
	tracer := tracing.Provider().Tracer("test")

	for range spans {
		_, span := tracer.Start(context.Background(), "a")
		span.End()
	}
}

// What does not fit into the queue is dropped and counted, and whoever ends a span does not wait.
func TestSpansThatDoNotFitAreCounted(t *testing.T) {
	t.Parallel()

	collector := oteltest.Start(t)

	var log logOutput

	tracing := open(t, config.Tracing{Endpoint: collector.GRPC(), QueueSize: 10, BatchSize: 10, BatchInterval: time.Hour}, nil, &log)

	end(tracing, 9)
	tracing.Close()

	if exported, overflowed, refused := tracing.Spans(); exported != 9 || overflowed != 0 || refused != 0 {
		t.Errorf("%d exported, %d and %d dropped", exported, overflowed, refused)
	}

	silent := open(t, config.Tracing{Endpoint: "http://" + silence(t), QueueSize: 10, BatchSize: 10, Timeout: 100 * time.Millisecond}, nil, &log)
	end(silent, 1000)
	silent.Close()

	// Close does not wait longer than the export that was under way may take, which ends at about the same time.
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && strings.Count(log.String(), "cannot be exported") == 0; {
		time.Sleep(time.Millisecond)
	}

	exported, overflowed, refused := silent.Spans()
	if exported != 0 || overflowed+refused != 1000 || overflowed == 0 {
		t.Errorf("%d exported, %d and %d dropped", exported, overflowed, refused)
	}

	if got := log.String(); strings.Count(got, "too many wait to be exported") != 1 || strings.Count(got, "cannot be exported") != 1 {
		t.Errorf("the log is %s", got)
	}
}

// silence is an address where connections are accepted and nothing is said.
func silence(t *testing.T) string {
	t.Helper()

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = listener.Close() })

	return listener.Addr().String()
}

// A collector that wants a certificate of the gateway, over both protocols.
func TestCollectorWithTLS(t *testing.T) {
	t.Parallel()

	ca, dir := tlstest.NewCA(t), t.TempDir()
	cert, key := filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key")
	ca.Issue(t, cert, key, "localhost", "")

	files, err := tlsfiles.Open(tlsfiles.Paths{Cert: cert, Key: key, CA: ca.File})
	if err != nil {
		t.Fatal(err)
	}

	for protocol, start := range map[string]func(*testing.T, *tls.Config, *atomic.Int64) string{
		config.ProtocolGRPC: startGRPC, config.ProtocolHTTP: startHTTP,
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()

			var (
				log     logOutput
				exports atomic.Int64
			)

			endpoint := "https://" + start(t, files.Server(true), &exports)

			tracing := open(t, config.Tracing{Endpoint: endpoint, Protocol: protocol}, files.Client(""), &log)
			end(tracing, 3)
			tracing.Close()

			if exported, _, _ := tracing.Spans(); exported != 3 || exports.Load() != 1 {
				t.Errorf("%d exported in %d batches; %s", exported, exports.Load(), log.String())
			}
		})
	}
}

func startGRPC(t *testing.T, cfg *tls.Config, exports *atomic.Int64) string {
	t.Helper()

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(cfg)), grpc.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			exports.Add(1)

			return handler(ctx, req)
		}))
	oteltest.Register(server)

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return listener.Addr().String()
}

func startHTTP(t *testing.T, cfg *tls.Config, exports *atomic.Int64) string {
	t.Helper()

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/traces" {
			exports.Add(1)
		}
	}))
	server.TLS = cfg
	server.StartTLS()
	t.Cleanup(server.Close)

	return server.Listener.Addr().String()
}
