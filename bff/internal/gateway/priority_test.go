package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

func TestPriorityIsThatOfTheRoute(t *testing.T) {
	t.Parallel()

	g := &Gateway{trees: map[string]*pathtemplate.Tree[*target]{}}

	for method, priority := range map[string]porticov1.Priority{
		http.MethodGet: porticov1.Priority_PRIORITY_LOW, http.MethodPost: porticov1.Priority_PRIORITY_CRITICAL,
	} {
		template, err := pathtemplate.Parse("/v1/orders/{order_id}")
		if err != nil {
			t.Fatal(err)
		}

		r := &Route{}
		r.Method, r.Template = method, template
		r.Policy = policy.Policy{Effective: &porticov1.MethodPolicy{Priority: priority}}
		g.add(r, nil)
	}

	for _, tt := range []struct {
		method, path string
		want         porticov1.Priority
	}{
		{http.MethodGet, "/v1/orders/1", porticov1.Priority_PRIORITY_LOW},
		{http.MethodHead, "/v1/orders/1", porticov1.Priority_PRIORITY_LOW},
		{http.MethodPost, "/v1/orders/a%2Fb", porticov1.Priority_PRIORITY_CRITICAL},
		{http.MethodDelete, "/v1/orders/1", porticov1.Priority_PRIORITY_NORMAL},
		{http.MethodGet, "/v1/nothing", porticov1.Priority_PRIORITY_NORMAL},
	} {
		if got := g.Priority(httptest.NewRequest(tt.method, tt.path, nil)); got != tt.want {
			t.Errorf("%s %s: got %v, want %v", tt.method, tt.path, got, tt.want)
		}
	}
}
