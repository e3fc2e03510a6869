package schema_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/gen"
)

// The gateway knows a generated handler by the order of its registration alone: the n-th handler is that of the n-th route.
func TestOfIsInOrderOfRegistration(t *testing.T) {
	t.Parallel()

	for _, service := range gen.Services() {
		t.Run(service.Name, func(t *testing.T) {
			t.Parallel()

			found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service.Name))
			if err != nil {
				t.Fatal(err)
			}

			descriptor, ok := found.(protoreflect.ServiceDescriptor)
			if !ok {
				t.Fatalf("%s is a %T", service.Name, found)
			}

			routes, err := schema.Routes(descriptor)
			if err != nil {
				t.Fatal(err)
			}

			var handlers []runtime.HandlerFunc

			mux := runtime.NewServeMux(runtime.WithMiddlewares(func(next runtime.HandlerFunc) runtime.HandlerFunc {
				handlers = append(handlers, next)

				return next
			}))
			conn := &recorder{}

			if err := service.Register(t.Context(), mux, conn); err != nil {
				t.Fatal(err)
			}

			if len(handlers) != len(routes) || len(service.Routes) != len(routes) {
				t.Fatalf("%d handlers and %d routes in the table for %d routes", len(handlers), len(service.Routes), len(routes))
			}

			for i, r := range routes {
				if got, want := conn.call(t, handlers[i], r), r.Template.String()+" "+r.RPC; got != want {
					t.Errorf("handler %d calls %q, want %q", i, got, want)
				}

				if row := service.Routes[i]; row.Method != r.Method || row.Path != r.Template.String() || row.RPC != r.RPC {
					t.Errorf("row %d of the table is %v, want %s %s", i, row, r, r.RPC)
				}
			}
		})
	}
}

// A handler finds the binding's HTTP method only in the mux, so that is compared by asking the mux.
func TestOfHasTheMethodsOfRegistration(t *testing.T) {
	t.Parallel()

	for _, service := range gen.Services() {
		mux := runtime.NewServeMux()
		conn := &recorder{}

		if err := service.Register(t.Context(), mux, conn); err != nil {
			t.Fatal(err)
		}

		for _, row := range service.Routes {
			conn.called = ""
			path := strings.NewReplacer("{", "", "}", "").Replace(row.Path)

			request := httptest.NewRequestWithContext(t.Context(), row.Method, path, strings.NewReader("{}"))
			mux.ServeHTTP(httptest.NewRecorder(), request)

			if want := row.Path + " " + row.RPC; conn.called != want {
				t.Errorf("%s %s calls %q, want %q", row.Method, path, conn.called, want)
			}
		}
	}
}

// recorder is a connection that notes the last call, as "template RPC", and answers none.
type recorder struct{ called string }

func (c *recorder) Invoke(ctx context.Context, rpc string, _, _ any, _ ...grpc.CallOption) error {
	return c.note(ctx, rpc)
}

func (c *recorder) NewStream(ctx context.Context, _ *grpc.StreamDesc, rpc string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, c.note(ctx, rpc)
}

func (c *recorder) note(ctx context.Context, rpc string) error {
	template, _ := runtime.HTTPPathPattern(ctx)
	c.called = template + " " + rpc

	return status.Error(codes.Unimplemented, "only noted")
}

// call runs a handler with a value for each variable of the route.
func (c *recorder) call(tb testing.TB, handler runtime.HandlerFunc, r schema.Route) string {
	tb.Helper()

	c.called = ""
	params := map[string]string{}

	for _, name := range r.Template.Variables() {
		params[name] = "x"
	}

	request := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/", strings.NewReader("{}"))
	handler(httptest.NewRecorder(), request, params)

	return c.called
}
