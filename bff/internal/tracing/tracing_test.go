package tracing_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
	// lowTrace is sampled by every sampler that decides by the trace id.
	lowTrace = "00000000000000000000000000000001"
)

// recorded returns a tracer that samples this part of the requests, and what it records.
func recorded(ratio float64) (*tracing.Tracer, *tracetest.SpanRecorder) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))))

	return tracing.New(provider, ratio), recorder
}

func request(parents ...string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "http://api.example.com:8080/v1/a?q=1", nil)
	if len(parents) > 0 {
		r.Header["Traceparent"] = parents
	}

	return r
}

// begun is a request with its record, as the edge makes them.
func begun(t *tracing.Tracer, r *http.Request, believed bool) (*http.Request, *reqinfo.Record) {
	ctx, begun := t.Begin(r, believed)
	rec := &reqinfo.Record{Trace: begun}

	return r.WithContext(reqinfo.NewContext(ctx, rec)), rec
}

func TestSampling(t *testing.T) {
	t.Parallel()

	const sampled, unsampled = "-" + spanID + "-01", "-" + spanID + "-00"

	for name, tt := range map[string]struct {
		ratio    float64
		parent   string
		believed bool
		want     bool
		// continued reports that the trace of the caller is.
		continued bool
	}{
		"root_all":              {ratio: 1, want: true},
		"root_none":             {ratio: 0},
		"believed":              {parent: "00-" + traceID + sampled, believed: true, want: true, continued: true},
		"believed_no":           {ratio: 1, parent: "00-" + traceID + unsampled, believed: true, continued: true},
		"stranger":              {parent: "00-" + traceID + sampled, continued: true},
		"stranger_chosen_id":    {ratio: 1e-12, parent: "00-" + lowTrace + sampled, continued: true},
		"stranger_hides":        {ratio: 1, parent: "00-" + traceID + unsampled, want: true, continued: true},
		"later_version":         {parent: "42-" + traceID + "-" + spanID + "-ff-x", believed: true, want: true, continued: true},
		"malformed_id":          {parent: "00-" + strings.ToUpper(traceID) + sampled, believed: true},
		"malformed_zeros":       {parent: "00-" + strings.Repeat("0", 32) + sampled, believed: true},
		"malformed_length":      {parent: "00-" + traceID + sampled + "-x", believed: true},
		"malformed_version":     {parent: "ff-" + traceID + sampled, believed: true},
		"malformed_not_ascii":   {parent: "00-" + strings.Repeat("é", 16) + sampled, believed: true},
		"random_flag_is_not_it": {parent: "00-" + traceID + "-" + spanID + "-02", believed: true, continued: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			program, _ := recorded(tt.ratio)

			for _, tracer := range []*tracing.Tracer{program, tracing.NewOwn(sdktrace.NewTracerProvider(), tt.ratio)} {
				r := request()
				if tt.parent != "" {
					r = request(tt.parent)
				}

				r, rec := begun(tracer, r, tt.believed)

				if rec.Sampled != tt.want || (tracing.From(r.Context()) != nil) != tt.want {
					t.Errorf("sampled: %t", rec.Sampled)
				}

				if got := strings.HasSuffix(rec.TraceParent, "1"); got != tt.want || len(rec.TraceID) != 32 || len(rec.SpanID()) != 16 {
					t.Errorf("the record has %+v", rec.Trace)
				}

				if got := strings.Contains(tt.parent, rec.TraceID); got != tt.continued || rec.SpanID() == spanID {
					t.Errorf("%q became %+v", tt.parent, rec.Trace)
				}
			}
		})
	}
}

// Two parents are none, and neither is one for this hop alone.
func TestClientsWithoutATrace(t *testing.T) {
	t.Parallel()

	parent := "00-" + traceID + "-" + spanID + "-01"
	hop := request(parent)
	hop.Header.Set("Connection", "close, Traceparent")

	for name, r := range map[string]*http.Request{"two": request(parent, parent), "hop": hop, "none": request()} {
		if parent, state := tracing.FromHeader(r.Header); parent != "" || state != "" {
			t.Errorf("%s: %q, %q", name, parent, state)
		}
	}
}

func TestWithoutATracer(t *testing.T) {
	t.Parallel()

	var none *tracing.Tracer

	r := request("00-" + traceID + "-" + spanID + "-01")

	ctx, got := none.Begin(r, false)
	if want := (reqinfo.Trace{TraceID: traceID}); got != want || ctx != r.Context() {
		t.Errorf("got %+v", got)
	}

	if _, got := tracing.New(noop.NewTracerProvider(), 1).Begin(request(), false); got != (reqinfo.Trace{}) {
		t.Errorf("a provider of nothing: %+v", got)
	}
}

func TestNilSpans(t *testing.T) {
	t.Parallel()

	ctx, span := tracing.Start(reqinfo.NewContext(t.Context(), &reqinfo.Record{}), "a")
	if span != nil || tracing.StartAttempt(ctx, "/a/B", "a:1") != nil || tracing.Carry(ctx, ctx) != ctx {
		t.Error("there is a span")
	}

	span.Text("a", "b")
	span.Count("a", 1)
	span.Event("a", "b", "c")
	span.Link(ctx)
	span.Fail("a", "b")
	span.EndCall("OK", "")
	span.End()
}

// A span that an embedding program has started is the parent, whatever the header says.
func TestSpanOfTheProgram(t *testing.T) {
	t.Parallel()

	tracer, recorder := recorded(0)
	provider := sdktrace.NewTracerProvider()
	r := request("00-" + traceID + "-" + spanID + "-00")
	ctx, outer := provider.Tracer("program").Start(r.Context(), "outer")

	r, rec := begun(tracer, r.WithContext(ctx), false)
	tracing.EndRequest(r, rec, tracing.Response{Status: http.StatusOK, Code: "OK"})

	if ended := recorder.Ended(); len(ended) != 1 || ended[0].Parent().SpanID() != outer.SpanContext().SpanID() {
		t.Errorf("the spans are %v", ended)
	}
}

func TestNamesOfRequests(t *testing.T) {
	t.Parallel()

	for method, want := range map[string]string{http.MethodGet: "GET /v1/{a}", "BREW": "HTTP /v1/{a}"} {
		tracer, recorder := recorded(1)
		r := request()
		r.Method = method
		r.Header.Set("User-Agent", strings.Repeat("a", 1000)+"\xff")

		r, rec := begun(tracer, r, false)
		rec.Template = "/v1/{a}"
		tracing.EndRequest(r, rec, tracing.Response{Status: http.StatusOK, Code: "OK"})

		span := recorder.Ended()[0]
		if span.Name() != want || span.SpanKind() != trace.SpanKindServer {
			t.Errorf("%s is %s %s", method, span.SpanKind(), span.Name())
		}

		for _, attribute := range span.Attributes() {
			if text := attribute.Value.String(); len(text) > 300 {
				t.Errorf("%s has %d bytes", attribute.Key, len(text))
			}
		}
	}
}

// What is current is the span of the gateway, also for others who use OpenTelemetry.
func TestCurrentSpan(t *testing.T) {
	t.Parallel()

	tracer, _ := recorded(1)
	r, _ := begun(tracer, request(), false)

	ctx, span := tracing.Start(r.Context(), "a")
	parent, _ := span.Headers()

	for name, ctx := range map[string]context.Context{
		"child":   ctx,
		"carried": tracing.Carry(reqinfo.NewContext(t.Context(), &reqinfo.Record{Trace: reqinfo.Trace{Sampled: true}}), ctx),
	} {
		if got := trace.SpanContextFromContext(ctx).SpanID().String(); !strings.Contains(parent, got) || tracing.From(ctx) != span {
			t.Errorf("%s: the span is %s, not that of %s", name, got, parent)
		}
	}
}

func BenchmarkBegin(b *testing.B) {
	for name, ratio := range map[string]float64{"unsampled": 0, "sampled": 1} {
		b.Run(name, func(b *testing.B) {
			tracer, r := tracing.NewOwn(sdktrace.NewTracerProvider(), ratio), request()

			b.ReportAllocs()

			for b.Loop() {
				tracer.Begin(r, false)
			}
		})
	}

	b.Run("off", func(b *testing.B) {
		var none *tracing.Tracer

		r := request()

		b.ReportAllocs()

		for b.Loop() {
			none.Begin(r, false)
		}
	})
}

// A request that is not sampled costs one text of 55 bytes, for backends and the log.
func TestUnsampledRequestsAreCheap(t *testing.T) {
	tracer := tracing.NewOwn(sdktrace.NewTracerProvider(), 0)
	r := request()

	if got := testing.AllocsPerRun(100, func() { tracer.Begin(r, false) }); got > 1 {
		t.Errorf("%v allocations", got)
	}

	var none *tracing.Tracer
	if got := testing.AllocsPerRun(100, func() { none.Begin(r, false) }); got != 0 {
		t.Errorf("%v allocations without a tracer", got)
	}
}
