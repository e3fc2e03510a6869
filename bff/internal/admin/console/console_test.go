package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/admin/console"
	"github.com/portico-gateway/portico/bff/internal/admin/console/window"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// source is what a console under test shows.
type source struct {
	mu     sync.Mutex
	about  *console.About
	totals window.Totals
	made   int
	recent console.Recent
	noted  []string
}

var order = window.Route{Method: "GET", Path: "/v1/orders"}

// served adds requests.
func (s *source) served(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()

	before := s.totals.Routes[order].Observed
	s.totals = window.Totals{Bounds: []float64{1}, Routes: map[window.Route]window.Timed{
		order: {Count: float64(before + n), Observed: before + n, Buckets: []uint64{before + n}},
	}}
}

func (s *source) snapshots() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.made
}

func (s *source) deps() console.Deps {
	return console.Deps{
		About: func() *console.About {
			s.mu.Lock()
			defer s.mu.Unlock()

			return s.about
		},
		State: func() console.State {
			s.mu.Lock()
			defer s.mu.Unlock()

			s.made++

			return console.State{
				Ready: true, Upstreams: []console.Upstream{{Name: "order", State: "ok"}},
				Routes: []console.RouteState{{Method: "POST", Path: "/v1/orders:watch", InFlight: 2}},
			}
		},
		Totals: func() window.Totals {
			s.mu.Lock()
			defer s.mu.Unlock()

			return s.totals
		},
		Recent: &s.recent, Connect: func() {},
		Guard: func(_ string, next http.Handler) http.Handler { return next },
		Note: func(_ *http.Request, attrs ...slog.Attr) {
			for _, attr := range attrs {
				s.noted = append(s.noted, attr.String())
			}
		},
		Actions: console.Actions{
			LogLevel: func(context.Context, console.LogLevelAction) (console.Result, error) {
				return console.Result{Done: "set"}, nil
			},
			Purge: func(_ context.Context, a console.PurgeAction) (console.Result, error) {
				if a.Tag == "" {
					return console.Result{}, problem.New(codes.InvalidArgument, "tag: is missing")
				}

				return console.Result{Done: "purged " + a.Tag}, nil
			},
			Reload: func(context.Context, console.ReloadAction) (console.Result, error) {
				return console.Result{Done: "reloaded", Hash: "12ab"}, nil
			},
		},
	}
}

func newSource() *source { return &source{about: &console.About{Version: "v1"}} }

// stream is a page that is open. It has a pipe, which blocks a writer until it is read.
type stream struct {
	lines *bufio.Reader
	body  io.Closer
	leave context.CancelFunc
	ended chan struct{}
}

// pipeWriter is a http.ResponseWriter.
type pipeWriter struct {
	io.Writer

	header http.Header
	status chan int
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) { w.status <- status }

func (*pipeWriter) Flush() {}

// open opens a page.
func open(handler http.Handler) *stream {
	r, w := io.Pipe()
	ctx, leave := context.WithCancel(context.Background())
	s := &stream{lines: bufio.NewReader(r), body: r, leave: leave, ended: make(chan struct{})}

	go func() {
		defer close(s.ended)
		defer w.Close()

		request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/console/events", nil)
		handler.ServeHTTP(&pipeWriter{Writer: w, header: http.Header{}, status: make(chan int, 1)}, request)
	}()

	return s
}

func (s *stream) close() {
	s.leave()
	_ = s.body.Close()
	<-s.ended
}

// next returns the name and the data of the next event; the name is empty at the end of the stream.
func (s *stream) next(tb testing.TB) (name, data string) {
	tb.Helper()

	for {
		line, err := s.lines.ReadString('\n')
		line = strings.TrimSuffix(line, "\n")

		switch {
		case err != nil:
			return "", ""
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data = line[len("data: "):]
		case line == "" && name != "":
			return name, data
		}
	}
}

// state returns the next state, and fails if there is another event.
func (s *stream) state(tb testing.TB) console.State {
	tb.Helper()

	name, data := s.next(tb)
	if name != "state" {
		tb.Fatalf("got the event %q %s", name, data)
	}

	var state console.State
	if err := json.Unmarshal([]byte(data), &state); err != nil {
		tb.Fatal(err)
	}

	return state
}

// begin reads what a page gets first.
func (s *stream) begin(tb testing.TB) console.State {
	tb.Helper()

	if name, data := s.next(tb); name != "about" || !strings.Contains(data, `"version":"v`) {
		tb.Fatalf("the first event is %q %s", name, data)
	}

	return s.state(tb)
}
