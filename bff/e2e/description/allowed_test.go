package description_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/conformance"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	itemv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/item/v1"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	"github.com/portico-gateway/portico/bff/internal/testkit/linkedserver"
	"github.com/portico-gateway/portico/gen"
)

// What the document allows is accepted: requests that are made from the document alone, with the values at the limits of its
// schemas, come to a backend that answers all of them.
func TestWhatTheDocumentAllowsIsAccepted(t *testing.T) {
	t.Parallel()

	backend := linkedserver.Start(t)
	upstream := config.Upstream{Addresses: []string{backend.Address()}}
	cfg := config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"shelf": upstream, "every": upstream, "item": upstream},
		// Each request comes from an address of its own, so that limits are not met.
		ClientIP: config.ClientIP{TrustedProxies: []string{"127.0.0.0/8"}},
	}

	// Composites themselves answer an anonymous caller with 401.
	services := slices.DeleteFunc(gen.Services(), func(s bff.Service) bool { return s.Composite })
	for _, service := range services {
		cfg.Upstreams[service.Upstream] = upstream
	}

	s := gatewaytest.Serve(t, gatewaytest.Compile(t, cfg, gatewaytest.Quiet(),
		bff.WithServices(services...),
		bff.WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService"),
		bff.WithHandlers("every", everyv1.RegisterEveryServiceHandler, "every.v1.EveryService"),
		bff.WithHandlers("item", itemv1.RegisterItemServiceHandler, "item.v1.ItemService")))

	document, err := s.Compiled.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}

	checker, err := gatewaytest.Exchanges.Load(document)
	if err != nil {
		t.Fatal(err)
	}

	const mostOfEach = 19

	requests, err := checker.Requests(1, mostOfEach)
	if err != nil {
		t.Error(err)
	}

	refused, err := conformance.Refused(t.Context(), &http.Client{Transport: &strangers{}}, s.URL, requests)
	if err != nil {
		t.Fatal(err)
	}

	for _, r := range refused {
		if !inWordsOnly(r) {
			t.Error(r)
		}
	}

	t.Logf("%d requests", len(requests))
}

// strangers sends each request from an address of its own.
type strangers struct{ sent atomic.Uint32 }

func (s *strangers) RoundTrip(r *http.Request) (*http.Response, error) {
	n := s.sent.Add(1)
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.18.%d.%d", n>>8, n&0xff))

	return http.DefaultTransport.RoundTrip(r)
}

// inWordsOnly reports whether the document says in words alone why a request is refused.
func inWordsOnly(r conformance.Refusal) bool {
	// "Rules hold for the fields that `updateMask` names", "Required if there is another parameter of `address`."
	depends := r.Request.Method == http.MethodPatch || strings.Contains(r.Says, "query address.street:")
	if depends && (strings.Contains(r.Says, "value is required") || strings.Contains(r.Says, "exactly one field is required") ||
		strings.Contains(r.Says, "value is empty")) {
		return true
	}

	// "Any selection as one text." That the paths of the list are accepted is a test of package openapi.
	if strings.Contains(r.Says, "query fields: ") {
		return true
	}

	return slices.ContainsFunc([]string{
		"is not a type that this gateway knows", // Any: "which the gateway has to know".
		"is out of range",                       // Times and durations: the description of the API.
		"must be greater than or equal to 0",    // int64: "At least 0."
		"the name must not be the note",         // CEL.
		"low must not be above high",            // CEL.
		"only one of red, blue can be set",      // "At most one of …"
		"path item.name: does not match regex",  // "The whole matches …"
	}, func(words string) bool { return strings.Contains(r.Says, words) })
}
