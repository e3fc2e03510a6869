package edge

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// Metrics counts requests. Its methods must be safe for concurrent use and not block.
type Metrics interface {
	RequestStarted() (ended func())
	ObserveRequest(method, template string, status int, took time.Duration)
	// ObserveMissing counts a part that is missing from the response of a composite.
	ObserveMissing(rpc, part string, code codes.Code)
}

// AccessLog writes one line and one sample at the end of each request, even after a panic. The line has the route's template and
// never the path or the query, which may have data that does not belong in logs.
func AccessLog(logger *slog.Logger, metrics Metrics) func(http.Handler) http.Handler {
	// The source of all lines, for handlers that show it.
	var source [1]uintptr
	runtime.Callers(1, source[:])

	lines := newAccessLog(logger.Handler(), source[0])

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ended := metrics.RequestStarted()

			tracked, ok := w.(*response.Writer)
			if !ok {
				wrapped := response.New(w, r, nil)
				tracked = &wrapped
			}

			panicked := true

			defer func() {
				ended()

				rec := reqinfo.From(r.Context())
				// Begin writes its response after this; an earlier fault says more than the panic.
				if code, _ := rec.Outcome(); panicked && code == codes.OK {
					rec.Fail(codes.Internal, nil)
				}

				took := time.Since(rec.Start)
				status := loggedStatus(r.Context(), cmp.Or(rec.Status, tracked.Status()), panicked)
				metrics.ObserveRequest(r.Method, rec.Template, status, took)

				for _, part := range rec.Missing() {
					metrics.ObserveMissing(rec.RPC, part.Name, problem.From(part.Cause).GRPCCode())
				}

				lines.write(r, rec, status, tracked.Size(), took)
			}()

			next.ServeHTTP(tracked, r)

			panicked = false
		})
	}
}

// loggedStatus is the status to log: a client that hung up before the response began got none.
func loggedStatus(ctx context.Context, status int, panicked bool) int {
	switch {
	case panicked:
		return http.StatusInternalServerError
	case errors.Is(ctx.Err(), context.Canceled) && (status == 0 || status >= http.StatusInternalServerError):
		return problem.StatusClientClosedRequest
	case status == 0:
		return http.StatusOK
	default:
		return status
	}
}

// BorrowingHandler is a slog.Handler that keeps nothing of a record, not even its attributes, when Handle has returned. What it
// gets is used again. It writes a *netip.Addr as its text.
type BorrowingHandler interface {
	slog.Handler

	BorrowsAttrs()
}

type accessLog struct {
	handler slog.Handler
	source  uintptr
	// borrows reports that the handler is a BorrowingHandler.
	borrows bool
	// lists has the []slog.Attr of records.
	lists sync.Pool
}

func newAccessLog(handler slog.Handler, source uintptr) *accessLog {
	l := &accessLog{handler: handler, source: source, lists: sync.Pool{New: func() any { return new([]slog.Attr) }}}

	_, l.borrows = handler.(BorrowingHandler)

	return l
}

func (l *accessLog) write(r *http.Request, rec *reqinfo.Record, status, size int, took time.Duration) {
	ctx, level := context.Background(), slog.LevelInfo

	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}

	if !l.borrows {
		ctx = context.WithoutCancel(r.Context())
	}

	if !l.handler.Enabled(ctx, level) {
		return
	}

	list, _ := l.lists.Get().(*[]slog.Attr)
	*list = l.appendAttrs((*list)[:0], r, rec, status, size, took)

	line := slog.NewRecord(time.Now(), level, "request", l.source)
	if l.borrows {
		// A group without a name is what its attributes are without it. More than five others would be copied.
		line.AddAttrs(slog.Attr{Value: slog.GroupValue(*list...)})
	} else {
		line.AddAttrs(*list...)
	}

	// As slog.Logger does: an error could not be logged.
	_ = l.handler.Handle(ctx, line)

	clear(*list)
	l.lists.Put(list)
}

// appendAttrs appends what a line says.
func (l *accessLog) appendAttrs(
	attrs []slog.Attr, r *http.Request, rec *reqinfo.Record, status, size int, took time.Duration,
) []slog.Attr {
	code, cause := rec.Outcome()
	if status == problem.StatusClientClosedRequest {
		code = codes.Canceled
	}

	attrs = append(attrs,
		slog.String("request_id", rec.ID),
		slog.String("method", problem.Clip(r.Method, maxMethod)),
		slog.String("route", rec.Template),
		slog.String("rpc", strings.TrimPrefix(rec.RPC, "/")),
		slog.String("principal", rec.Principal.Subject),
		l.client(rec),
		slog.Int("status", status),
		slog.String("code", problem.CodeName(code)),
		slog.Duration("duration", took),
		slog.Int("bytes", size),
		slog.String("upstream", rec.UpstreamNames()),
	)

	for _, part := range rec.Missing() {
		attrs = append(attrs, slog.String("missing_"+part.Name, logText(part.Cause)))
	}

	if dropped := rec.DroppedHeaders(); len(dropped) > 0 {
		attrs = append(attrs, slog.String("dropped_headers", strings.Join(dropped, ",")))
	}

	if cause != nil {
		attrs = append(attrs, slog.String("error", logText(cause)))
	}

	return attrs
}

// client is the address as a text, or for handlers that only use it now, the address itself, which they write in the same way.
func (l *accessLog) client(rec *reqinfo.Record) slog.Attr {
	const name = "client"

	if l.borrows && rec.Client.IsValid() {
		return slog.Any(name, &rec.Client)
	}

	return slog.String(name, rec.Client.String())
}

// logText is the text of an error in the log: for a panic in a branch, with the stack.
func logText(err error) string {
	text := err.Error()
	if panicked := (*composite.PanicError)(nil); errors.As(err, &panicked) {
		text += "\n" + string(panicked.Stack)
	}

	return problem.Clip(text, maxCause)
}

// Texts of clients and backends must not fill the log.
const (
	maxMethod = 32
	maxCause  = 8 << 10
)
