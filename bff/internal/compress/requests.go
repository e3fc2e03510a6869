package compress

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Requests decodes bodies that are encoded with gzip or zstd while they are read; next sees a body of unknown length without a
// Content-Encoding. Other codings, and several, are answered with 415 (RFC 9110, section 15.5.16). What has no body passes.
//
// The limit that stands on the request's record at the first read holds for the decoded bytes too: a read over it fails with
// *http.MaxBytesError and is noted on the record. A body that does not decode fails with a *problem.Problem (400) that wraps the
// cause. After next has returned, the body cannot be read any more.
func Requests(next http.Handler) http.Handler {
	gzips := &sync.Pool{New: func() any { return newGzip() }}
	zstds := &sync.Pool{New: func() any { return newZstd() }}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var decoders *sync.Pool

		switch c := coding(r.Header.Values(contentEncoding)); c {
		case "":
			next.ServeHTTP(w, r)

			return
		case "gzip", "x-gzip": // RFC 9110, section 8.4.1.3.
			decoders = gzips
		case "zstd":
			decoders = zstds
		}

		empty := r.ContentLength == 0 || r.Body == nil
		if decoders == nil && !empty {
			w.Header().Set(acceptEncoding, "gzip, zstd")
			problem.Write(w, r, problem.WithStatus(http.StatusUnsupportedMediaType, codes.InvalidArgument,
				"the body must be encoded with gzip or zstd, or not at all"), nil)

			return
		}

		decoded := r.WithContext(r.Context())
		decoded.Header = r.Header.Clone()
		decoded.Header.Del(contentEncoding)

		if !empty {
			b := &body{w: w, raw: r.Body, rec: reqinfo.From(r.Context()), decoders: decoders}
			defer b.end()

			decoded.Header.Del(contentLength)
			decoded.Body, decoded.ContentLength = b, -1
		}

		next.ServeHTTP(w, decoded)
	})
}

// coding is what a Content-Encoding lists, in lower case and without what means nothing.
func coding(fields []string) string {
	var codings []string

	for _, field := range fields {
		for c := range strings.SplitSeq(strings.ToLower(field), ",") {
			if c = strings.TrimSpace(c); c != "" && c != "identity" {
				codings = append(codings, c)
			}
		}
	}

	return strings.Join(codings, ", ")
}

// body is the decoded body of a request. Like net/http's it may be read on one goroutine and closed on another.
type body struct {
	w        http.ResponseWriter
	raw      io.ReadCloser
	rec      *reqinfo.Record
	decoders *sync.Pool

	mu      sync.Mutex
	decoder *decoder  // Nil before the first read, and when there is nothing more to decode.
	limited io.Reader // Nil before the first read.
	ended   bool
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if b.ended {
		return 0, http.ErrBodyReadAfterClose
	}

	if b.limited == nil {
		b.decoder, _ = b.decoders.Get().(*decoder)
		b.decoder.begin(b.raw)
		b.limited = http.MaxBytesReader(b.w, io.NopCloser(b.decoder), b.rec.BodyLimit)
	}

	n, err := b.limited.Read(p)
	if err == nil {
		return n, nil
	}

	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		b.rec.BodyExceeded = true
	}

	// The error stays with the limit; others can have the decoder while this request goes on.
	b.release()

	return n, err //nolint:wrapcheck // Readers return io.EOF bare.
}

// Close closes the encoded body.
func (b *body) Close() error {
	b.end()

	return b.raw.Close() //nolint:wrapcheck // It stands in for the body.
}

// end makes sure that nobody has the decoder.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.ended = true
	b.release()
}

func (b *body) release() {
	if b.decoder != nil {
		b.decoder.begin(nil)
		b.decoders.Put(b.decoder)
		b.decoder = nil
	}
}
