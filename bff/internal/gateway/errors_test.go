package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/gateway/stream"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// Once, the answer to a body that takes too much memory said nothing if something else was wrong as well.
func TestTooLargeWithOtherFaults(t *testing.T) {
	t.Parallel()

	large := binding.Fault{In: binding.InBody, Name: "values", Reason: "takes too much memory", TooLarge: true}
	other := binding.Fault{In: binding.InQuery, Name: "x", Reason: "unknown parameter"}

	for name, faults := range map[string][]binding.Fault{"alone": {large}, "first": {large, other}, "last": {other, large}} {
		p := invalid(binding.Faults{List: faults})
		if p.Status != http.StatusRequestEntityTooLarge || p.Detail != "the body: values: takes too much memory" || len(p.Errors) != len(faults) {
			t.Errorf("%s: %d %q %v", name, p.Status, p.Detail, p.Errors)
		}
	}
}

// Once, a client that hung up while its body was decoded was logged as one that had sent a faulty body.
func TestNobodyWaitsForTheDecoder(t *testing.T) {
	t.Parallel()

	routes, err := declaredRoutes(Registration{Services: []string{"every.v1.EveryService"}}, nil)
	if err != nil {
		t.Fatal(err)
	}

	b, err := binding.Compile(routes[0], binding.Config{})
	if err != nil {
		t.Fatal(err)
	}

	gone, leave := context.WithCancel(t.Context())
	leave()

	late, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()

	const clientClosedRequest = 499

	for want, ctx := range map[int]context.Context{
		http.StatusBadRequest: t.Context(), clientClosedRequest: gone, http.StatusGatewayTimeout: late,
	} {
		rec := &reqinfo.Record{BodyLimit: 1 << 10}
		r := httptest.NewRequestWithContext(reqinfo.NewContext(ctx, rec), http.MethodPost, "/v1/every", nil)
		x := &exchange{Context: r.Context(), route: &Route{Endpoint: policy.Endpoint{Route: routes[0]}, binding: b}, request: r}

		err := x.decode([]byte(`{"stringField":`), &everyv1.Every{})
		if p := explain(r.Context(), r, err); p.Status != want {
			t.Errorf("%d %s, want %d", p.Status, p.Detail, want)
		}
	}
}

// Once, the fault of a path variable of a stream was sent as a message of the stream, with the status 200.
func TestPathFaultOfAStream(t *testing.T) {
	t.Parallel()

	routes, err := declaredRoutes(Registration{Services: []string{"every.v1.EveryService"}}, nil)
	if err != nil {
		t.Fatal(err)
	}

	route := routes[slices.IndexFunc(routes, func(r schema.Route) bool { return r.RPC == everyv1.EveryService_Count_FullMethodName })]
	if route.Template, err = pathtemplate.Parse("/v1/count/{int32_field}"); err != nil {
		t.Fatal(err)
	}

	b, err := binding.Compile(route, binding.Config{Codec: protojson.New(config.JSON{}.WithDefaults())})
	if err != nil {
		t.Fatal(err)
	}

	layers := stream.Respond(stream.Config{Codec: func(*http.Request) bool { return true }, Explain: explain})
	handler := layers(invoke(&Route{
		Endpoint: policy.Endpoint{Route: route}, binding: b, defaultTranslation: true,
		handler: func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
			x, _ := exchangeFrom(r.Context())
			handleError(r.Context(), nil, nil, w, r, x.complete(r.Context(), &everyv1.Every{}))
		},
	}, nil))

	rec := &reqinfo.Record{PathParams: pathtemplate.Values{{Name: "int32_field", Text: "x"}}}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), http.MethodGet, "/v1/count/x", nil))

	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `the path variable: int32_field: \"x\" is not a number`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
