package edge

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// BorrowingHandler is a slog.Handler that keeps nothing of a record, not even its attributes, when Handle has returned. What it
// gets is used again. It writes a *netip.Addr as its text.
type BorrowingHandler interface {
	slog.Handler

	BorrowsAttrs()
}

// served is a request that has ended.
type served struct {
	request      *http.Request
	record       *reqinfo.Record
	status, size int
	took         time.Duration
}

type accessLog struct {
	handler  slog.Handler
	source   uintptr
	sampling sampling
	// borrows reports that the handler is a BorrowingHandler.
	borrows bool
	// lists has the []slog.Attr of records.
	lists sync.Pool
}

func newAccessLog(handler slog.Handler, source uintptr, sampling sampling) *accessLog {
	l := &accessLog{
		handler: handler, source: source, sampling: sampling, lists: sync.Pool{New: func() any { return new([]slog.Attr) }},
	}

	_, l.borrows = handler.(BorrowingHandler)

	return l
}

func (l *accessLog) write(s served) {
	ctx, level := context.Background(), slog.LevelInfo

	if s.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}

	if !l.borrows {
		ctx = context.WithoutCancel(s.request.Context())
	}

	if !l.handler.Enabled(ctx, level) {
		return
	}

	write, sampled := l.sampling.decide(s)
	if !write {
		return
	}

	list, _ := l.lists.Get().(*[]slog.Attr)
	*list = l.appendAttrs((*list)[:0], s)

	if sampled {
		*list = append(*list, slog.Float64("sampled", l.sampling.ratio))
	}

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

// appendAttrs appends what a line says. Who called, what and with which result is in each line, even if it is empty; the rest only
// if there is something to say.
func (l *accessLog) appendAttrs(attrs []slog.Attr, s served) []slog.Attr {
	rec := s.record

	code, cause := rec.Outcome()
	if s.status == problem.StatusClientClosedRequest {
		code = codes.Canceled
	}

	made := rec.Made()
	attrs = append(attrs,
		slog.String("request_id", rec.ID),
		slog.String("method", printable(s.request.Method, maxMethod)),
		slog.String("route", rec.Template),
		slog.String("rpc", rec.Selector),
		slog.String("principal", rec.Principal.Subject),
		l.client(rec),
		slog.String("user_agent", printable(s.request.UserAgent(), maxUserAgent)),
		slog.String("protocol", s.request.Proto),
		slog.Int("status", s.status),
		slog.String("code", problem.CodeName(code)),
		slog.Float64("duration_ms", milliseconds(s.took)),
		slog.Int64("request_bytes", rec.WireBytes()),
		slog.Int("response_bytes", s.size),
		slog.String("upstream", rec.UpstreamNames()),
		slog.Int("calls", made.Calls),
		slog.Int("attempts", made.Attempts),
	)

	if made.Address != "" {
		attrs = append(attrs, slog.String("upstream_address", made.Address))
	}

	return appendFaults(appendTrace(attrs, rec), rec, cause)
}

// appendFaults appends what was not as it should be.
func appendFaults(attrs []slog.Attr, rec *reqinfo.Record, cause error) []slog.Attr {
	if refusal := rec.Refusal(); refusal.Reason != "" {
		attrs = append(attrs, slog.String("reason", string(refusal.Reason)))

		if refusal.Limit != "" {
			attrs = append(attrs, slog.String("limit", refusal.Limit))
		}
	}

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
// That of a program which connects to a Unix socket is "unknown", as in RFC 7239, section 6.2.
func (l *accessLog) client(rec *reqinfo.Record) slog.Attr {
	const name = "client"

	switch {
	case !rec.Client.IsValid():
		return slog.String(name, "unknown")
	case l.borrows:
		return slog.Any(name, &rec.Client)
	default:
		return slog.String(name, rec.Client.String())
	}
}
