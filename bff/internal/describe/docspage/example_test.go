package docspage_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/portico-gateway/portico/bff/internal/describe/docspage"
)

func ExampleHandler() {
	page, err := docspage.Handler(docspage.Config{Title: "Shop", Document: "../openapi.json"})
	if err != nil {
		panic(err)
	}

	mux := http.NewServeMux()
	mux.Handle(docspage.Path, page)
	mux.Handle(docspage.Path+"/", page)

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/docs", nil))
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output: 307 docs/
}
