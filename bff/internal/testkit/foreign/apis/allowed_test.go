package apis_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/conformance"
	"github.com/portico-gateway/portico/bff/internal/testkit/foreign/apis/linked"
)

// mostOfEach is how many requests there are for each operation.
const mostOfEach = 6

// What the document allows is accepted, by a gateway over a backend that refuses nothing.
func TestWhatDocumentsAllowIsAccepted(t *testing.T) {
	t.Parallel()

	for _, api := range linked.APIs() {
		t.Run(api.Name, func(t *testing.T) {
			t.Parallel()

			s := start(t, api)

			checker, err := conformance.Load([]byte(s.do(t, http.MethodGet, "/openapi.json", "").body))
			if err != nil {
				t.Fatal(err)
			}

			requests, err := checker.Requests(1, mostOfEach)
			if err != nil {
				t.Error(err)
			}

			refused, err := conformance.Refused(t.Context(), http.DefaultClient, s.url, requests)
			if err != nil {
				t.Fatal(err)
			}

			for _, r := range refused {
				// The description of the API says in words how far times and durations go, and what a selection as one text may be.
				if !strings.Contains(r.Says, "is out of range") && !strings.Contains(r.Says, "query fields: ") {
					t.Error(r)
				}
			}

			t.Logf("%d requests", len(requests))
		})
	}
}
