package edge

import (
	"context"
	"log/slog"
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/listen"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// traces begins the traces of requests.
type traces struct {
	// tracer is nil if there are none.
	tracer *tracing.Tracer
	// believed reports whether the sender of a request may say whether it is sampled.
	believed func(r *http.Request) bool
}

// newTraces panics if a prefix of a trusted proxy cannot be parsed.
func newTraces(cfg config.Config, tracer *tracing.Tracer) traces {
	t := traces{tracer: tracer, believed: func(*http.Request) bool { return false }}

	switch cfg.Tracing.TrustSampled {
	case config.TrustAll:
		t.believed = func(*http.Request) bool { return true }
	case config.TrustProxies:
		t.believed = proxies{listen.NewPeers(cfg.ClientIP.TrustedProxies)}.sent
	}

	return t
}

// begin begins that of a request that has arrived now.
func (t traces) begin(r *http.Request) (context.Context, reqinfo.Trace) {
	return t.tracer.Begin(r, t.tracer != nil && t.believed(r))
}

// endTrace ends the span of a request.
func endTrace(r *http.Request, rec *reqinfo.Record, status, size int) {
	if !rec.Sampled {
		return
	}

	code, cause := rec.Outcome()
	if status == problem.StatusClientClosedRequest {
		code = codes.Canceled
	}

	tracing.EndRequest(r, rec, tracing.Response{Status: status, Size: size, Code: problem.CodeName(code), Cause: cause})
}

// appendTrace appends the trace of the request to the attributes of a line, if it has one.
func appendTrace(attrs []slog.Attr, rec *reqinfo.Record) []slog.Attr {
	if rec.TraceID == "" {
		return attrs
	}

	attrs = append(attrs, slog.String("trace_id", rec.TraceID))
	if span := rec.SpanID(); span != "" {
		attrs = append(attrs, slog.String("span_id", span))
	}

	return attrs
}
