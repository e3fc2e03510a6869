package openapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"
)

// Handler serves a document that does not change, with a strong entity tag (RFC 9110, section 8.8.3): a client that has it is
// answered with 304.
func Handler(document []byte, mediaType string) http.Handler {
	sum := sha256.Sum256(document)
	tag := strconv.Quote(base64.RawURLEncoding.EncodeToString(sum[:16]))

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Half a document is of no use.
		r = r.Clone(r.Context())
		r.Header.Del("Range")

		header := w.Header()
		header.Set("Content-Type", mediaType)
		header.Set("Etag", tag)
		// To be asked for again each time, which the tag makes cheap: a gateway with other routes may follow.
		header.Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(document))
	})
}
