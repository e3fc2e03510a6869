package compress_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/gateway/compress"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

func ExampleResponses() {
	responses, err := compress.Responses(1024)
	if err != nil {
		panic(err)
	}

	h := responses(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"v1"`)
		_, _ = io.WriteString(w, `"`+strings.Repeat("ha", 1000)+`"`)
	}))

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip;q=0.5, zstd")

	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Header().Get("Content-Encoding"), w.Header().Get("ETag"), w.Body.Len() < 100)
	// Output: zstd "v1--zstd" true
}

func ExampleRequests() {
	h := compress.Requests(100)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Println(string(body), err)
	}))

	var sent bytes.Buffer

	z := gzip.NewWriter(&sent)
	_, _ = io.WriteString(z, "hello")
	_ = z.Close()

	ctx := reqinfo.NewContext(context.Background(), &reqinfo.Record{BodyLimit: 100})
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", &sent)
	r.Header.Set("Content-Encoding", "gzip")
	h.ServeHTTP(httptest.NewRecorder(), r)
	// Output: hello <nil>
}
