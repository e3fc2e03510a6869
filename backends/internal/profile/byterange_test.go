package profile

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzParseRange compares with net/http, which takes more (blanks, lists) but means the same where both take a single range.
func FuzzParseRange(f *testing.F) {
	const size = 100

	for _, text := range []string{
		"", "bytes=0-9", "bytes=0-", "bytes=-1", "bytes=-0", "bytes=-", "bytes=99-", "bytes=100-", "bytes=5-4", "bytes=1-1000",
		"bytes=99999999999999999999-", "bytes=0-1,2-3", "bytes= 1-2", "BYTES=1-2", "bytes=+1-2", "bytes", "=", "-",
	} {
		f.Add(text)
	}

	content := bytes.NewReader(bytes.Repeat([]byte("x"), size))

	f.Fuzz(func(t *testing.T, text string) {
		r, ok := parseRange(text, size)
		if !ok {
			return
		}

		if r.first < 0 || r.last >= size {
			t.Fatalf("%q gives %v", text, r)
		}

		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Header.Set("Range", strings.ToLower(text))

		resp := httptest.NewRecorder()
		http.ServeContent(resp, req, "x", time.Time{}, content)

		want := max(r.remaining(r.first), 0)
		if got := int64(resp.Body.Len()); resp.Code == http.StatusPartialContent && got != want {
			t.Errorf("%q gives %v, and %d bytes in net/http", text, r, got)
		}
	})
}
