package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// maxEntry is the largest response in bytes that is stored, with its header. Larger ones are as rare as they are costly.
const maxEntry = 1 << 20

// recorded is the response of a handler, or the reply to a leg, whose body is the encoded message. It is not changed once it is
// shared.
type recorded struct {
	// status is that of the response; for a leg, that of a response with its outcome.
	status int
	// header is nil for a leg.
	header http.Header
	body   []byte
	// err is why a leg has no reply.
	err error
	// tags name what it is made of, if all are known.
	tags         []string
	tagsComplete bool
}

// newRecorded returns what the recorder has, whose response is complete.
func newRecorded(rec *response.Recorder) recorded {
	rec.Finish()

	// Its lists have no spare capacity: appending to one copies it.
	header := rec.Sent()
	maps.DeleteFunc(header, func(name string, _ []string) bool { return perRequest(name) })

	return recorded{status: rec.Status(), header: header, body: bytes.Clone(rec.Body())}
}

// perRequest reports whether a header belongs to the response to one request: its id, date and times, and its framing (RFC 9110,
// section 7.6.1; RFC 9112, section 6).
func perRequest(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Date", "Keep-Alive", "Server-Timing", "Trailer", "Transfer-Encoding", "Upgrade",
		"X-Request-Id":
		return true
	default:
		return false
	}
}

// shareable reports whether the response may serve other requests. A cookie is for one. A problem has the id of its request, which
// can be replaced if it is plain text.
func (r recorded) shareable() bool {
	return len(r.header["Set-Cookie"]) == 0 && (r.status < http.StatusBadRequest || len(r.header["Content-Encoding"]) == 0)
}

// storable reports whether the response may be stored: it is complete, its parts are fresh, and it does not say otherwise.
func (r recorded) storable(work *reqinfo.Record) bool {
	code, _ := work.Outcome()
	if r.status != http.StatusOK || code != codes.OK || work.Partial() || work.Stale() || !r.shareable() ||
		httpfield.Has(r.header["Vary"], "*") {
		return false
	}

	for name, value := range httpfield.Directives(r.header["Cache-Control"]) {
		if name == "no-store" || name == noCache || name == "private" || name == "max-age" && value == "0" {
			return false
		}
	}

	return true
}

// entry is what is stored. The response of a handler gets an entity tag for it.
func (r recorded) entry() *Entry {
	if r.header == nil {
		// Stores tell it from what is not an entry.
		r.header = http.Header{}
	} else {
		r.setETag()
	}

	return &Entry{Header: r.header, Body: r.body, Tags: r.tags}
}

// setETag gives the response a strong entity tag, unless it has one: the same for the same bytes on the wire (RFC 9110, section
// 8.8.3.1).
func (r recorded) setETag() {
	const size = 16 // Bytes of the hash. Nobody gains by two of his responses having the same.

	if len(r.header["Etag"]) == 0 {
		sum := sha256.Sum256(r.body)
		r.header["Etag"] = []string{`"` + base64.RawURLEncoding.EncodeToString(sum[:size]) + `"`}
	}
}

// withRequestID is the response with the id of another request in its problem document, or status.
func (r recorded) withRequestID(from, to string) recorded {
	if r.status < http.StatusBadRequest || from == to || from == "" {
		return r
	}

	for _, member := range []string{`"request_id":`, `"requestId":`} {
		r.body = bytes.ReplaceAll(r.body, []byte(member+`"`+from+`"`), []byte(member+`"`+to+`"`))
	}

	return r
}

// unavailable reports whether the response says that there is none at the moment.
func (r recorded) unavailable() bool {
	switch r.status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}
