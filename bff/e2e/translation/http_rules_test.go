package translation_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/schema"
	ruledv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/ruled/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

const (
	ruledFile    = "../../internal/testkit/foreign/proto/ruled/v1/ruled.yaml"
	ruledService = "ruled.v1.RuledService"
)

// Routes of a gRPC API configuration are served: handlers of WithHandlers with the file itself, those of a table with its rules.
func TestRoutesOfAnAPIConfiguration(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile(ruledFile)
	if err != nil {
		t.Fatal(err)
	}

	rules, err := schema.LoadRules(ruledFile)
	if err != nil {
		t.Fatal(err)
	}

	table := bff.Service{Name: ruledService, Upstream: "ruled", Register: registerRuledClient}
	if table.HTTPRules, err = schema.RulesText(rules, ruledv1.File_ruled_v1_ruled_proto.Services().Get(0)); err != nil {
		t.Fatal(err)
	}

	for name, options := range map[string][]bff.Option{
		"handlers": {
			bff.WithHandlers("ruled", ruledv1.RegisterRuledServiceHandler, ruledService), bff.WithHTTPRules(ruledFile, text),
		},
		"table": {bff.WithServices(table)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := startReflecting(t, "ruled", options...)

			for request, row := range map[string]struct{ body, want string }{
				"GET /v1/things/x?size=SIZE_LARGE":    {"", `{"name":"x","size":"SIZE_LARGE"}`},
				"GET /v1/sizes/SIZE_LARGE/things/a/b": {"", `{"name":"a/b","size":"SIZE_LARGE"}`},
				"GET /v1/things/x:tags?tags=a&tags=b": {"", `["a","b"]`},
				// Once, the paths that the body sets took the place of the body.
				"PATCH /v1/things/x/mask": {`"size,tags"`, `{"name":"x","mask":"size,tags"}`},
				"PATCH /v1/things/x/source": {
					`{"fileName":"f"}`, `{"name":"x","mask":"fileName","source":{"fileName":"f"}}`,
				},
				"PATCH /v1/things/x/source/size,tags": {
					`{"fileName":"f"}`, `{"name":"x","mask":"size,tags","source":{"fileName":"f"}}`,
				},
				"GET /v1/things/x?source.fileName=f&dotted=d&$ref=r": {
					"", `{"name":"x","source":{"fileName":"f"},"a.b[c]":"d","$ref":"r"}`,
				},
				"POST /v1/things:tags?name=x": {`["a"]`, `{"name":"x","tags":["a"]}`},
				"LOCK /v1/things/x":           {"", `{"name":"x"}`},
				"PUT /v1/things/x":            {`{"tags":["a"]}`, `{"name":"x","tags":["a"]}`},
			} {
				method, target, _ := strings.Cut(request, " ")
				if res := s.Do(t, method, target, nil, row.body); res.Status != http.StatusOK {
					t.Errorf("%s: %d %s", request, res.Status, res.Body)
				} else {
					sameJSON(t, request, res.Body, row.want)
				}
			}

			explained, err := gatewaytest.Compile(t, config.Config{Auth: config.Auth{Disabled: true}},
				append(options, bff.WithDefaultPolicy(&porticov1.MethodPolicy{Access: &porticov1.Access{Public: true}}))...,
			).Explain(t.Context(), httptest.NewRequest(http.MethodGet, "/v1/things/x", nil), bff.Principal{})
			if err != nil || explained.Route == nil || explained.Route.RPC != ruledService+"/GetThing" {
				t.Errorf("explained: %+v, %v", explained, err)
			}

			document := s.Do(t, http.MethodGet, "/openapi.json", nil, "")
			if !strings.Contains(document.Body, `"/v1/sizes/{size}/things/`) {
				t.Errorf("%d %s", document.Status, document.Body)
			}
		})
	}
}

func registerRuledClient(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
	return ruledv1.RegisterRuledServiceHandlerClient(ctx, mux, ruledv1.NewRuledServiceClient(conn))
}

func TestAPIConfigurationsAreRefused(t *testing.T) {
	t.Parallel()

	const rule = "http:\n  rules:\n    - selector: " + ruledService + "."

	for text, want := range map[string]string{
		rule + "GetTing\n      get: /v1":           `api.yaml:3:7: selector "ruled.v1.RuledService.GetTing": there is no such method here; did you mean`,
		rule + "GetThing\n      get: v1":           `api.yaml:3:7: google.api.http of /ruled.v1.RuledService/GetThing: path template "v1": at offset 0: no leading slash`,
		rule + "GetThing\n      body: '*'":         `names no HTTP method and path`,
		rule + "PutThing\n      put: /v1/things/x": "has more handlers than routes",
	} {
		_, err := bff.New(t.Context(), config.Config{
			Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{"ruled": {Addresses: []string{"127.0.0.1:1"}}},
		}, bff.WithHandlers("ruled", ruledv1.RegisterRuledServiceHandler, ruledService), bff.WithHTTPRules("api.yaml", []byte(text)), gatewaytest.Quiet())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}
