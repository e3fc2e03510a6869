package openapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// Handler serves a document with a strong entity tag (RFC 9110, section 8.8.3): a client that has it gets 304. It is made when it
// is first requested, once; if that fails, the response is 500.
func Handler(mediaType string, document func() ([]byte, error)) http.Handler {
	type tagged struct {
		text []byte
		tag  string
	}

	made := sync.OnceValues(func() (tagged, error) {
		text, err := document()
		sum := sha256.Sum256(text)

		return tagged{text, strconv.Quote(base64.RawURLEncoding.EncodeToString(sum[:16]))}, err
	})

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		doc, err := made()
		if err != nil {
			problem.Write(w, r, problem.From(err), err)

			return
		}

		// Half a document is of no use.
		r = r.Clone(r.Context())
		r.Header.Del("Range")
		httpfield.FoldIfNoneMatch(r.Header)

		header := w.Header()
		header.Set("Content-Type", mediaType)
		header.Set("Etag", doc.tag)
		// To be asked for again each time, which the tag makes cheap: a gateway with other routes may follow.
		header.Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(doc.text))
	})
}
