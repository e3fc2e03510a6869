package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
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
