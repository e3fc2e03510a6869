package compress_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/portico-gateway/portico/bff/internal/gateway/compress"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const minBytes = 1000

// responses puts Responses before a handler.
func responses(tb testing.TB, next http.HandlerFunc) http.Handler {
	tb.Helper()

	wrap, err := compress.Responses(minBytes)
	if err != nil {
		tb.Fatal(err)
	}

	return wrap(next)
}

// recorded gives every request the record, as the edge would.
func recorded(rec *reqinfo.Record, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(reqinfo.NewContext(r.Context(), rec)))
	})
}

func serve(tb testing.TB, h http.Handler) string {
	tb.Helper()

	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)

	return s.URL
}

// reply is an answer as it stands on the wire.
type reply struct {
	status  int
	header  http.Header
	content []byte
}

func do(tb testing.TB, method, url string, header http.Header, body io.Reader) reply {
	tb.Helper()

	r, err := http.NewRequest(method, url, body)
	if err != nil {
		tb.Fatal(err)
	}

	maps.Copy(r.Header, header)

	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()

	res, err := transport.RoundTrip(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()

	content, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}

	return reply{res.StatusCode, res.Header, content}
}

// encode is what a client does.
func encode(tb testing.TB, coding string, content []byte) []byte {
	tb.Helper()

	var buf bytes.Buffer

	var w io.WriteCloser = gzip.NewWriter(&buf)

	if coding == "zstd" {
		z, err := zstd.NewWriter(&buf, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
		if err != nil {
			tb.Fatal(err)
		}

		w = z
	}

	if _, err := w.Write(content); err != nil {
		tb.Fatal(err)
	}

	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}

	return buf.Bytes()
}

// decode is what a client does.
func decode(tb testing.TB, coding string, content []byte) []byte {
	tb.Helper()

	var r io.Reader = bytes.NewReader(content)

	var err error

	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	}

	if err != nil {
		tb.Fatal(err)
	}

	plain, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}

	return plain
}
