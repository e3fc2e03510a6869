package embedding_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// declared is a service with a method per route, "GET /v1/{name}", that is made in a test: its RPCs are called R0, R1 and so on, and
// its messages have the fields name and other.
type declared struct {
	service protoreflect.ServiceDescriptor
	routes  []string
	// called is the RPC that was called last.
	called atomic.Value
}

// declare must come before t.Parallel: who looks through all descriptors waits for ever for one that is being registered.
func declare(t *testing.T, routes ...string) *declared {
	t.Helper()

	name := fmt.Sprintf("test%d.v1", declaredServices.Add(1))
	service := &descriptorpb.ServiceDescriptorProto{Name: new("Paths")}

	for i, r := range routes {
		kind, path, _ := strings.Cut(r, " ")
		options := &descriptorpb.MethodOptions{}
		proto.SetExtension(options, annotations.E_Http, &annotations.HttpRule{
			Pattern: &annotations.HttpRule_Custom{Custom: &annotations.CustomHttpPattern{Kind: kind, Path: path}},
		})

		service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
			Name: new(fmt.Sprintf("R%d", i)), Options: options, InputType: new("." + name + ".M"), OutputType: new("." + name + ".M"),
		})
	}

	text := descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()

	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new(name + ".proto"), Package: &name, Syntax: new("proto3"), Service: []*descriptorpb.ServiceDescriptorProto{service},
		MessageType: []*descriptorpb.DescriptorProto{{Name: new("M"), Field: []*descriptorpb.FieldDescriptorProto{
			{Name: new("name"), Number: new(int32(1)), Type: text}, {Name: new("other"), Number: new(int32(2)), Type: text},
		}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}

	if err := protoregistry.GlobalFiles.RegisterFile(file); err != nil {
		t.Fatal(err)
	}

	return &declared{service: file.Services().Get(0), routes: routes}
}

// declaredServices counts the services that were made: descriptors are registered for good, and tests may run more than once.
var declaredServices atomic.Int64

// register does what a generated function would.
func (d *declared) register(_ context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error {
	for i, r := range d.routes {
		method := d.service.Methods().Get(i)
		kind, path, _ := strings.Cut(r, " ")
		rpc := fmt.Sprintf("/%s/%s", d.service.FullName(), method.Name())

		err := mux.HandlePath(kind, path, func(w http.ResponseWriter, req *http.Request, params map[string]string) {
			ctx, err := runtime.AnnotateContext(req.Context(), mux, req, rpc, runtime.WithHTTPPathPattern(path))
			in, out := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())

			for name, value := range params {
				in.Set(method.Input().Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOfString(value))
			}

			if err == nil {
				err = conn.Invoke(ctx, rpc, in, out)
			}

			_, marshaler := runtime.MarshalerForRequest(mux, req)
			if err != nil {
				runtime.HTTPError(ctx, mux, marshaler, w, req, err)

				return
			}

			runtime.ForwardResponseMessage(ctx, mux, marshaler, w, req, out)
		})
		if err != nil {
			return err
		}
	}

	return nil
}

// open makes a gateway of the service, over a backend that answers with the request and says which RPC it was in a header.
func (d *declared) open(t *testing.T, change func(*config.Config), opts ...bff.Option) (*bff.Gateway, error) {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	backend := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		rpc, _ := grpc.MethodFromServerStream(stream)
		if strings.HasPrefix(rpc, "/grpc.health") {
			return status.Error(codes.Unimplemented, "no health service")
		}

		d.called.Store(rpc)

		message := &emptypb.Empty{}
		if err := stream.RecvMsg(message); err != nil {
			return err
		}

		message.ProtoReflect().SetUnknown(append(message.ProtoReflect().GetUnknown(), other(rpc)...))

		return stream.SendMsg(message)
	}))

	go func() { _ = backend.Serve(listener) }()

	t.Cleanup(backend.Stop)

	cfg := config.Config{
		Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{"test": {Addresses: []string{listener.Addr().String()}}},
	}
	if change != nil {
		change(&cfg)
	}

	return gatewaytest.New(t.Context(), t, cfg, append(opts, gatewaytest.Quiet(),
		bff.WithHandlers("test", d.register, string(d.service.FullName())),
		bff.WithDefaultPolicy(&porticov1.MethodPolicy{Access: &porticov1.Access{Public: true}}))...)
}

// other is the field other of a message in the protobuf encoding.
func other(value string) []byte { return append([]byte{0x12, byte(len(value))}, value...) }

// Once, a verb after "**" was an ambiguity; a route with a verb is for all paths with it, and others for all without, whatever comes
// before.
func TestVerbsDecideBetweenRoutes(t *testing.T) {
	d := declare(t,
		"GET /v1/{name=shelves/**}", "GET /v1/{name=shelves/**}:check", "GET /v1/people/{name}", "GET /{name=**}:lock",
		"GET /v1/people/{name}:lock:now",
	)

	t.Parallel()

	gw, err := d.open(t, nil)
	if err != nil {
		t.Fatal(err)
	}

	s := &gatewaytest.Site{URL: gatewaytest.Listen(t, gw)}

	for path, want := range map[string]struct {
		rpc  int
		name string
	}{
		"/v1/shelves/1/books/2":       {0, "shelves/1/books/2"},
		"/v1/shelves/1/books/2:check": {1, "shelves/1/books/2"},
		"/v1/shelves/1:other":         {0, "shelves/1:other"},
		"/v1/shelves":                 {0, "shelves"},
		"/v1/shelves:check":           {1, "shelves"},
		"/v1/shelves/1%3Acheck":       {0, "shelves/1%3Acheck"},
		"/v1/shelves/1:check/2":       {0, "shelves/1:check/2"},
		"/v1/shelves/1:lock":          {3, "v1/shelves/1"},
		"/v1/people/ann":              {2, "ann"},
		"/v1/people/ann:lock":         {3, "v1/people/ann"},
		"/v1/people/ann%3Alock":       {2, "ann:lock"},
		"/v1/people/ann:lock:now":     {4, "ann"},
		"/v1/people/ann:unlock":       {2, "ann:unlock"},
	} {
		res := s.Do(t, http.MethodGet, path, nil, "")
		rpc := fmt.Sprintf("/%s/R%d", d.service.FullName(), want.rpc)

		if res.Status != http.StatusOK || res.Body != fmt.Sprintf(`{"name":%q,"other":%q}`, want.name, rpc) {
			t.Errorf("%s: %d %s, want %s with %q", path, res.Status, res.Body, rpc, want.name)
		}
	}
}

// Once, a route with the method HEAD was never reached.
func TestHeadRouteIsReached(t *testing.T) {
	d := declare(t, "GET /v1/{name}", "HEAD /v1/{name}", "HEAD /v1/only/{name}")

	t.Parallel()

	gw, err := d.open(t, nil)
	if err != nil {
		t.Fatal(err)
	}

	s := &gatewaytest.Site{URL: gatewaytest.Listen(t, gw)}

	for request, want := range map[string]string{
		"GET /v1/a": "R0", "HEAD /v1/a": "R1", "HEAD /v1/only/a": "R2",
	} {
		method, path, _ := strings.Cut(request, " ")

		res := s.Do(t, method, path, nil, "")
		if got, _ := d.called.Load().(string); res.Status != http.StatusOK || !strings.HasSuffix(got, want) {
			t.Errorf("%s: %d from %q, want %s", request, res.Status, got, want)
		}
	}
}

// Routes that no request can reach end the start, with the names of both.
func TestNewRefusesUnreachableRoutes(t *testing.T) {
	docs := func(cfg *config.Config) { cfg.Docs = config.Docs{OpenAPI: config.DocsPublic, Page: config.DocsPublic} }
	off := func(cfg *config.Config) { cfg.Docs.OpenAPI = config.DocsOff }
	page := bff.WithPage("/status/", http.NotFoundHandler())

	rows := map[string]struct {
		of     *declared
		change func(*config.Config)
		opts   []bff.Option
		// want are in the error; empty: there is none.
		want []string
	}{
		"covered": {
			of: declare(t, "GET /v1/{name=a/**}", "GET /v1/a", "GET /v1/{name=a/*/**}"),
			want: []string{
				"unreachable route: GET /v1/{name=a/**} (/test", "/R0): more specific routes match all its paths: GET /v1/a (", "/R1), GET /v1/{name=a/*/**} (", "/R2)",
			},
		},
		"covered_in_part":      {of: declare(t, "GET /v1/{name=a/**}", "GET /v1/{name=a/*/**}")},
		"covered_by_others":    {of: declare(t, "GET /v1/{name=a/**}", "POST /v1/a", "POST /v1/{name=a/*/**}")},
		"crossed":              {of: declare(t, "GET /v1/{name}/x", "GET /v1/y/{other}"), want: []string{"ambiguous routes", "/R0", "/R1"}},
		"crossed_with_verbs":   {of: declare(t, "GET /v1/{name}/x:v", "GET /v1/y/{other}:v"), want: []string{"ambiguous routes"}},
		"document":             {of: declare(t, "GET /openapi.json"), want: []string{"GET /openapi.json (/test", "/R0) can never be reached: the page at /openapi.json", "docs.openapi: off"}},
		"document_in_yaml":     {of: declare(t, "POST /openapi.yaml"), want: []string{"the page at /openapi.yaml"}},
		"document_that_is_off": {of: declare(t, "GET /openapi.json"), change: off},
		"docs":                 {of: declare(t, "GET /docs"), change: docs, want: []string{"the page at /docs comes", "docs.page: off"}},
		"below_docs":           {of: declare(t, "GET /docs/{name}:v"), change: docs, want: []string{"the page at /docs/ comes"}},
		"docs_and_below":       {of: declare(t, "GET /{name=docs/**}"), change: docs, want: []string{"the page at /docs comes", "the page at /docs/ comes"}},
		"docs_that_are_off":    {of: declare(t, "GET /docs", "GET /docs/{name}")},
		"more_than_docs":       {of: declare(t, "GET /{name}", "GET /{name=**}", "GET /docs:v", "GET /docsx/{name}"), change: docs},
		"own_page":             {of: declare(t, "GET /status/{name=**}", "GET /status"), opts: []bff.Option{page}},
		"below_an_own_page":    {of: declare(t, "GET /status/{name}"), opts: []bff.Option{page}, want: []string{"the page at /status/", "WithPage"}},
	}

	t.Parallel()

	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			gw, err := row.of.open(t, row.change, row.opts...)
			if err == nil {
				t.Cleanup(func() { _ = gw.Close() })
			}

			if (err == nil) != (len(row.want) == 0) {
				t.Fatalf("got %v", err)
			}

			for _, part := range row.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}
