package pages_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/edge/pages"
)

// A page whose GET changes something allows no HEAD, and says so for every method.
func TestPageWithoutHead(t *testing.T) {
	t.Parallel()

	served := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

	mux, err := pages.New(http.NotFoundHandler(), []pages.Page{{Path: "/login", Handler: served, NoHead: true}})
	if err != nil {
		t.Fatal(err)
	}

	for method, want := range map[string]int{
		http.MethodGet: http.StatusNoContent, http.MethodHead: http.StatusMethodNotAllowed, http.MethodPost: http.StatusMethodNotAllowed,
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, "/login", nil))

		if allow := w.Header().Get("Allow"); w.Code != want || want != http.StatusNoContent && allow != "GET, OPTIONS" {
			t.Errorf("%s: %d, Allow: %s", method, w.Code, allow)
		}
	}
}
