package edge

import (
	"io"
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// limitedBody bounds the request's body in bytes, and counts on the record how many were read. The limit is on the record, where
// the matched route may change it before the first read; a read over it fails with *http.MaxBytesError, and the record shows that,
// because decoders tend to drop the cause of errors.
type limitedBody struct {
	w        http.ResponseWriter
	body     io.ReadCloser
	declared int64
	rec      *reqinfo.Record
	limited  io.Reader
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.limited == nil {
		// A body whose declared length is too large is not read at all.
		if b.declared > b.rec.BodyLimit {
			b.rec.BodyExceeded = true
			return 0, &http.MaxBytesError{Limit: b.rec.BodyLimit}
		}

		b.limited = http.MaxBytesReader(b.w, b.body, b.rec.BodyLimit)
	}

	n, err := b.limited.Read(p)
	b.rec.AddWireBytes(n)

	if _, tooLarge := err.(*http.MaxBytesError); tooLarge { //nolint:errorlint // MaxBytesReader returns it bare.
		b.rec.BodyExceeded = true
	}

	return n, err
}

func (b *limitedBody) Close() error { return b.body.Close() }
