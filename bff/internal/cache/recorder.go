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

// maxEntry is the largest answer in bytes that is kept, headers and all. Larger ones are as rare as they are costly.
const maxEntry = 1 << 20

// answer is what a handler answered. It is not changed any more once others have it.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// recorded is the answer that was recorded, which is complete.
func recorded(rec *response.Recorder) answer {
	rec.Finish()

	// Its lists have no room to spare: appending to one copies it.
	header := rec.Sent()
	maps.DeleteFunc(header, func(name string, _ []string) bool { return perRequest(name) })

	return answer{status: rec.Status(), header: header, body: bytes.Clone(rec.Body())}
}

// perRequest are headers that belong to the answer of one request: its name, date and times, and its framing (RFC 9110, section
// 7.6.1; RFC 9112, section 6).
func perRequest(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Date", "Keep-Alive", "Server-Timing", "Trailer", "Transfer-Encoding", "Upgrade",
		"X-Request-Id":
		return true
	default:
		return false
	}
}

// sharable reports whether others may have the answer as well. A cookie is for one. A problem names the request that met it, which
// can be replaced if it is plain text.
func (a answer) sharable() bool {
	return len(a.header["Set-Cookie"]) == 0 && (a.status < http.StatusBadRequest || len(a.header["Content-Encoding"]) == 0)
}

// storable reports whether the answer may be kept: it is a complete one, and does not say otherwise.
func (a answer) storable(work *reqinfo.Record) bool {
	code, _ := work.Outcome()
	if a.status != http.StatusOK || code != codes.OK || work.Partial() || !a.sharable() ||
		httpfield.Has(a.header["Vary"], "*") {
		return false
	}

	for name, value := range httpfield.Directives(a.header["Cache-Control"]) {
		if name == "no-store" || name == noCache || name == "private" || name == "max-age" && value == "0" {
			return false
		}
	}

	return true
}

// tagged gives the answer a strong entity tag, unless it has one: the same for the same bytes on the wire (RFC 9110, section
// 8.8.3.1).
func (a answer) tagged() {
	const enough = 16 // Bytes of the hash. Nobody gains by two of his answers being taken for the same.

	if len(a.header["Etag"]) == 0 {
		sum := sha256.Sum256(a.body)
		a.header["Etag"] = []string{`"` + base64.RawURLEncoding.EncodeToString(sum[:enough]) + `"`}
	}
}

// named is the answer with the id of another request in its problem document, or status.
func (a answer) named(from, to string) answer {
	if a.status < http.StatusBadRequest || from == to || from == "" {
		return a
	}

	for _, member := range []string{`"request_id":`, `"requestId":`} {
		a.body = bytes.ReplaceAll(a.body, []byte(member+`"`+from+`"`), []byte(member+`"`+to+`"`))
	}

	return a
}

// failed reports whether what was answered is that there is no answer at the moment.
func (a answer) failed() bool {
	switch a.status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}
