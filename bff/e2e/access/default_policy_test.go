package access_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// What the plugin's option default_policy has written into a table is enforced, unless the program says otherwise.
func TestDefaultPolicyOfATable(t *testing.T) {
	t.Parallel()

	const (
		allowed = http.StatusNotImplemented // The backend does not have the service.
		anyone  = ""
	)

	for name, want := range map[string]map[string]int{
		"deny":          {anyone: http.StatusUnauthorized, "alice": http.StatusForbidden},
		"public":        {anyone: allowed, "alice": allowed},
		"authenticated": {anyone: http.StatusUnauthorized, "alice": allowed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			table := bff.Service{
				Name: "every.v1.EveryService", Upstream: "shelf", DefaultPolicy: name,
				Register: func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
					return everyv1.RegisterEveryServiceHandlerClient(ctx, mux, everyv1.NewEveryServiceClient(conn))
				},
			}

			s := startTable(t, bff.WithServices(table))

			for subject, status := range want {
				var header http.Header
				if subject != anyone {
					header = s.As(t, subject)
				}

				if res := s.Do(t, http.MethodPost, "/v1/every", header, "{}"); res.Status != status {
					t.Errorf("%q: %d %s", subject, res.Status, res.Body)
				}
			}
		})
	}
}

// startTable starts a gateway with credentials over a backend that serves shelves.
func startTable(t *testing.T, opts ...bff.Option) *gatewaytest.Site {
	t.Helper()

	issuer, err := devissuer.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	s := &gatewaytest.Site{Backend: gatewaytest.StartBackend(t), Issuer: issuer}

	s.Gateway, err = gatewaytest.New(t.Context(), t, config.Config{
		Auth: config.Auth{Issuers: []config.Issuer{{
			Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience}, JWKSFile: issuer.JWKSFile(),
		}}},
		Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{s.Address}}},
	}, append(opts, gatewaytest.Quiet())...)
	if err != nil {
		t.Fatal(err)
	}

	s.URL = gatewaytest.Listen(t, s.Gateway)

	return s
}
