package edge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// watched is an edge with what it logs and counts.
type watched struct {
	config config.Config
	deps   edge.Deps
	server *httptest.Server

	mu      sync.Mutex
	log     bytes.Buffer
	samples []string
	missing []string
	running int
	// refused is for one request at a time.
	refused int
}

// newEdge returns an edge that allows bodies of 100 bytes.
func newEdge() *watched {
	w := &watched{config: config.Config{Limits: config.Limits{MaxBodyBytes: 100}}}
	w.deps = edge.Deps{Logger: slog.New(borrowing{slog.NewJSONHandler(w, nil)}), Metrics: w}

	return w
}

// borrowing implements edge.BorrowingHandler, as the log of the gateway does.
type borrowing struct{ slog.Handler }

func (borrowing) BorrowsAttrs() {}

// Write implements io.Writer for the log.
func (e *watched) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.log.Write(p)
}

// RequestStarted implements edge.Metrics.
func (e *watched) RequestStarted() func() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running++

	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.running--
	}
}

// ObserveRequest implements edge.Metrics.
func (e *watched) ObserveRequest(method string, rec *reqinfo.Record, status int, _ time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()

	e.samples = append(e.samples, fmt.Sprintf("%s %s %d", method, rec.Template, status))
}

// ObserveMissing implements edge.Metrics.
func (e *watched) ObserveMissing(rpc, part string, code codes.Code) {
	e.mu.Lock()
	defer e.mu.Unlock()

	e.missing = append(e.missing, fmt.Sprintf("%s %s %s", rpc, part, code))
}

// finish waits until the listener has served what it accepted: a client sees its answer before the log has the line.
func (e *watched) finish() {
	if e.server != nil {
		e.server.Close()
	}
}

// lines returns the lines of the log with this message.
func (e *watched) lines(tb testing.TB, message string) []map[string]any {
	tb.Helper()
	e.finish()
	e.mu.Lock()
	defer e.mu.Unlock()

	var lines []map[string]any

	for text := range strings.Lines(e.log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			tb.Fatalf("%v in %s", err, text)
		}

		if line["msg"] == message {
			lines = append(lines, line)
		}
	}

	return lines
}

// access returns the one line of the access log.
func (e *watched) access(tb testing.TB) map[string]any {
	tb.Helper()

	lines := e.lines(tb, "request")
	if len(lines) != 1 {
		tb.Fatalf("%d lines in the access log: %v", len(lines), lines)
	}

	return lines[0]
}

// do sends a request through the edge to next.
func (e *watched) do(r *http.Request, next http.HandlerFunc) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	edge.Wrap(e.config, e.deps, next).ServeHTTP(w, r)

	return w
}

// serve puts the edge around next on a listener.
func (e *watched) serve(tb testing.TB, next http.HandlerFunc) string {
	tb.Helper()

	e.server = httptest.NewUnstartedServer(edge.Wrap(e.config, e.deps, next))
	e.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	e.server.Start()
	tb.Cleanup(e.server.Close)

	return e.server.URL
}

func get(target string) *http.Request { return httptest.NewRequest(http.MethodGet, target, nil) }

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }

func body(tb testing.TB, resp *http.Response) string {
	tb.Helper()

	text, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}

	return string(text)
}
