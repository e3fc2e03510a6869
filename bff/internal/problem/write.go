package problem

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const maxInstance = 256

// Write answers with the problem and notes its code and cause on the request's record. It must be called before anything else is
// written. The cause is for the log alone; nil means that the problem says it all.
func Write(w http.ResponseWriter, r *http.Request, p *Problem, cause error) {
	rec := reqinfo.From(r.Context())
	rec.Fail(p.grpcCode, cause)

	doc := *p
	doc.RequestID = rec.ID
	doc.Instance = Clip(r.URL.EscapedPath(), maxInstance)

	header := w.Header()
	// What was meant for the answer that is not coming (RFC 9110, section 6.5; grpc-gateway's streams set them early).
	header.Del("Trailer")
	header.Del("Transfer-Encoding")
	header.Del("Content-Length")

	if doc.RetryAfter > 0 {
		header.Set("Retry-After", Seconds(doc.RetryAfter))
	}

	if doc.Status == http.StatusUnauthorized && header.Get("WWW-Authenticate") == "" {
		header.Set("WWW-Authenticate", "Bearer")
	}

	header.Set("Content-Type", ContentType)
	w.WriteHeader(doc.Status)
	// The client may be gone; there is nobody left to tell.
	_, _ = w.Write(doc.encode())
}

// Seconds spells a duration as a delay in whole seconds, rounded up (RFC 9110, section 10.2.3).
func Seconds(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}

func (p *Problem) encode() []byte {
	var buf bytes.Buffer

	enc := json.NewEncoder(&buf)
	// Readable for people with curl; the media type keeps browsers from taking it for HTML.
	enc.SetEscapeHTML(false)
	// A struct of strings and numbers always encodes.
	_ = enc.Encode(p)

	return buf.Bytes()
}

func bytesText(n int64) string { return strconv.FormatInt(n, 10) + " bytes" }
