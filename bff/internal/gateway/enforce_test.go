package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway/compress"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/limit/inflight"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// BenchmarkGuard is the policy of a route: everything around the generated handler, which answers at once.
func BenchmarkGuard(b *testing.B) {
	handler := guarded(b, "/user.v1.UserService/GetUser")
	params := pathtemplate.Values{{Name: "user_id", Text: "ada"}}

	rec := &reqinfo.Record{Principal: reqinfo.Principal{Issuer: "i", Subject: "ada"}}
	request := httptest.NewRequestWithContext(reqinfo.NewContext(b.Context(), rec), http.MethodGet, "/v1/users/ada", nil)
	request.Header = http.Header{"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}}
	w := &ready{header: http.Header{}}

	b.ReportAllocs()

	for b.Loop() {
		rec.Start = time.Now()
		clear(w.header)
		handler(w, request, params)
	}

	if w.status != http.StatusOK {
		b.Errorf("answered %d", w.status)
	}
}

// guarded is the route of an RPC with everything that production has, but for its handler.
func guarded(b *testing.B, rpc string) routedHandler {
	b.Helper()

	registrations := []Registration{{
		Services: []string{"user.v1.UserService"},
		Register: func(ctx context.Context, mux *runtime.ServeMux) error {
			return userv1.RegisterUserServiceHandlerClient(ctx, mux, nil)
		},
	}}
	config := Config{
		Settings: config.Config{}.WithDefaults(),
		Defaults: policy.Defaults{Timeout: 10 * time.Second, MaxBody: 1 << 20},
		Limiter:  limit.New(100_000), Overload: inflight.New(config.Overload{MaxInFlight: 1000}),
	}

	var err error
	if config.Compress, err = compress.Responses(1024); err != nil {
		b.Fatal(err)
	}

	api, err := Compile(registrations, config)
	if err != nil {
		b.Fatal(err)
	}

	routes := api.Routes

	if err := bindAll(b.Context(), registrations, routes, config); err != nil {
		b.Fatal(err)
	}

	for i := range routes {
		r := &routes[i]
		if r.RPC != rpc {
			continue
		}

		r.Policy.Effective.RateLimits = []*porticov1.RateLimit{{Requests: 1 << 30, Per: durationpb.New(time.Second), Burst: 1 << 30, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL}}
		r.handler = func(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
			w.Header()["Content-Type"] = []string{"application/json"}
			_, _ = w.Write([]byte(`{"userId":"ada"}`))
		}

		return guard(r, config)
	}

	b.Fatalf("there is no route of %s", rpc)

	return nil
}

// ready is a writer that keeps the status alone.
type ready struct {
	header http.Header
	status int
}

func (r *ready) Header() http.Header { return r.header }

func (r *ready) WriteHeader(status int) { r.status = status }

func (r *ready) Write(p []byte) (int, error) { return len(p), nil }

func (*ready) SetReadDeadline(time.Time) error { return nil }

func (*ready) SetWriteDeadline(time.Time) error { return nil }
