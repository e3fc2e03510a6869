// Package oteltest is a collector of OpenTelemetry for tests: it takes spans by OTLP over gRPC and HTTP, on real sockets, and
// remembers them.
package oteltest

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Span is a span as it was exported, with ids in hexadecimal and attributes as text.
type Span struct {
	Trace, ID, Parent string
	Name              string
	// Kind is SERVER, CLIENT or INTERNAL.
	Kind string
	// Failed reports that its status is an error, and Description is that of the status.
	Failed      bool
	Description string
	Attributes  map[string]string
	// Events are the names of its events, Links the ids of the spans that it is linked to.
	Events, Links []string
	// Resource are the attributes of the process.
	Resource map[string]string
}

// Collector is a collector. It is safe for concurrent use.
type Collector struct {
	coltrace.UnimplementedTraceServiceServer

	grpcAddress, httpAddress string

	mu      sync.Mutex
	changed chan struct{}
	spans   []Span
	headers metadata.MD
	exports int
	refuse  bool
}

// Start starts a collector until the test ends.
func Start(tb testing.TB) *Collector {
	tb.Helper()

	c := &Collector{changed: make(chan struct{})}

	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}

	server := grpc.NewServer()
	coltrace.RegisterTraceServiceServer(server, c)

	go func() { _ = server.Serve(listener) }()

	tb.Cleanup(server.Stop)

	web := httptest.NewServer(http.HandlerFunc(c.serveHTTP))
	tb.Cleanup(web.Close)

	c.grpcAddress, c.httpAddress = "http://"+listener.Addr().String(), web.URL

	return c
}

// Register registers a collector that remembers nothing of use with a server of the test's own.
func Register(server *grpc.Server) {
	coltrace.RegisterTraceServiceServer(server, &Collector{changed: make(chan struct{})})
}

// GRPC is the endpoint for the protocol grpc, HTTP that for http/protobuf.
func (c *Collector) GRPC() string { return c.grpcAddress }

// HTTP is the endpoint for the protocol http/protobuf.
func (c *Collector) HTTP() string { return c.httpAddress }

// Refuse makes it refuse exports for good, or take them.
func (c *Collector) Refuse(refuse bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.refuse = refuse
}

// Export implements coltrace.TraceServiceServer.
func (c *Collector) Export(
	ctx context.Context, request *coltrace.ExportTraceServiceRequest,
) (*coltrace.ExportTraceServiceResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if !c.add(request, md) {
		return nil, status.Error(codes.PermissionDenied, "refused by the test")
	}

	return &coltrace.ExportTraceServiceResponse{}, nil
}

func (c *Collector) serveHTTP(w http.ResponseWriter, r *http.Request) {
	var request coltrace.ExportTraceServiceRequest

	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
		http.Error(w, "not an export", http.StatusBadRequest)

		return
	}

	md := metadata.MD{}
	for name, values := range r.Header {
		md.Append(name, values...)
	}

	if !c.add(&request, md) {
		http.Error(w, "refused by the test", http.StatusForbidden)

		return
	}

	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (c *Collector) add(request *coltrace.ExportTraceServiceRequest, headers metadata.MD) (taken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.headers = headers
	c.exports++

	if !c.refuse {
		for _, resource := range request.GetResourceSpans() {
			attributes := texts(resource.GetResource().GetAttributes())

			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					c.spans = append(c.spans, spanOf(span, attributes))
				}
			}
		}
	}

	close(c.changed)
	c.changed = make(chan struct{})

	return !c.refuse
}

func spanOf(s *tracev1.Span, resource map[string]string) Span {
	span := Span{
		Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()),
		Parent: hex.EncodeToString(s.GetParentSpanId()), Name: s.GetName(),
		Kind:   s.GetKind().String()[len("SPAN_KIND_"):],
		Failed: s.GetStatus().GetCode() == tracev1.Status_STATUS_CODE_ERROR, Description: s.GetStatus().GetMessage(),
		Attributes: texts(s.GetAttributes()), Resource: resource,
	}

	for _, event := range s.GetEvents() {
		span.Events = append(span.Events, event.GetName())
	}

	for _, link := range s.GetLinks() {
		span.Links = append(span.Links, hex.EncodeToString(link.GetSpanId()))
	}

	return span
}

func texts(attributes []*commonv1.KeyValue) map[string]string {
	all := make(map[string]string, len(attributes))

	for _, attribute := range attributes {
		switch value := attribute.GetValue().GetValue().(type) {
		case *commonv1.AnyValue_StringValue:
			all[attribute.GetKey()] = value.StringValue
		case *commonv1.AnyValue_IntValue:
			all[attribute.GetKey()] = itoa(value.IntValue)
		default:
			all[attribute.GetKey()] = attribute.GetValue().String()
		}
	}

	return all
}

// Spans are those that it has taken so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()

	return append([]Span(nil), c.spans...)
}

// Headers are those of the last export, by their names in lower case.
func (c *Collector) Headers() metadata.MD {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.headers
}

// Exports is how many there were, including those that were refused.
func (c *Collector) Exports() int {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.exports
}

// patience is how long Wait waits for spans that do not come.
const patience = 30 * time.Second

// Wait waits until the spans of a trace satisfy done, and returns them. An empty trace is that of all spans.
func (c *Collector) Wait(tb testing.TB, traceID string, done func([]Span) bool) []Span {
	tb.Helper()

	deadline := time.After(patience)

	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()

		spans := Of(c.Spans(), traceID)
		if done(spans) {
			return spans
		}

		select {
		case <-changed:
		case <-deadline:
			tb.Fatalf("the spans did not come; there are:\n%s", Tree(spans))
		}
	}
}
