package edge_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// BenchmarkWrap is the whole edge without what others give it, BenchmarkAccessLog the log by itself, each to a writer that costs
// nothing.
func BenchmarkWrap(b *testing.B) {
	e := edge.Wrap(config.Config{
		Limits: config.Limits{MaxBodyBytes: 1 << 20}, Server: config.Server{RequestTimeout: time.Second},
	}, edge.Deps{
		Logger: slog.New(borrowing{observe.JSONHandler(nowhere{}, nil)}), Metrics: uncounted{},
	}, http.HandlerFunc(answerFine))

	measure(b, e, get("/v1/users/ada"))
}

func BenchmarkAccessLog(b *testing.B) {
	logger := slog.New(borrowing{observe.JSONHandler(nowhere{}, nil)})
	rec := &reqinfo.Record{
		ID: "0b9c5a1e-7f0e-4d53-9f8e-0d0c5a1e7f0e", Start: time.Now(), Template: "/v1/users/{user_id}",
		Selector: "user.v1.UserService.GetUser", Principal: reqinfo.Principal{Subject: "ada"},
	}
	rec.AddUpstream("user")

	r := get("/v1/users/ada")

	measure(b, edge.AccessLog(config.Log{}, logger, uncounted{})(http.HandlerFunc(answerFine)), r.WithContext(reqinfo.NewContext(r.Context(), rec)))
}

func measure(b *testing.B, handler http.Handler, r *http.Request) {
	b.Helper()

	r.Header.Set("X-Request-Id", "0b9c5a1e-7f0e-4d53-9f8e-0d0c5a1e7f0e")
	w := &unread{header: http.Header{}}
	b.ReportAllocs()

	for b.Loop() {
		clear(w.header)
		handler.ServeHTTP(w, r)
	}
}

func answerFine(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// nowhere is where lines go that have been formatted.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// uncounted implements edge.Metrics.
type uncounted struct{}

func (uncounted) RequestStarted() func() { return ended }

func (uncounted) ObserveRequest(string, *reqinfo.Record, int, time.Duration) {}

func (uncounted) ObserveMissing(string, string, codes.Code) {}

func ended() {}

// unread is a writer that keeps nothing, with the deadlines of a connection.
type unread struct{ header http.Header }

func (u *unread) Header() http.Header { return u.header }

func (*unread) WriteHeader(int) {}

func (*unread) Write(p []byte) (int, error) { return len(p), nil }

func (*unread) SetReadDeadline(time.Time) error { return nil }

func (*unread) SetWriteDeadline(time.Time) error { return nil }
