package docspage

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Once, each request without gzip decompressed some megabytes, also those that got no body.
func TestPlainFormIsMadeOnce(t *testing.T) {
	t.Parallel()

	files, err := load()
	if err != nil {
		t.Fatal(err)
	}

	for _, name := range viewer() {
		f := files[name]
		f.serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodHead, "/", nil))

		if first, again := f.plain(), f.plain(); len(first) <= len(f.content) || &first[0] != &again[0] {
			t.Errorf("%s: %d bytes of %d, made anew", name, len(first), len(f.content))
		}
	}
}
