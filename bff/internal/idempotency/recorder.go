package idempotency

import (
	"bytes"
	"maps"
	"net/http"
	"slices"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// maxResponse is the largest response in bytes that is stored, body and headers. Responses to writes are usually a resource.
const maxResponse = 1 << 20

// recorder passes a response on to the client and records it.
type recorder struct {
	*response.Recorder

	// before are the headers that outer layers set; they will set them on the next response too.
	before http.Header
}

func newRecorder(w http.ResponseWriter) recorder {
	return recorder{Recorder: response.Record(w, maxResponse), before: w.Header().Clone()}
}

// Write never fails: the response must not depend on whether the client is there to read it.
func (rec recorder) Write(p []byte) (int, error) {
	_, _ = rec.Recorder.Write(p)
	return len(p), nil
}

// finish returns the response, which is complete.
func (rec recorder) finish(code codes.Code) Response {
	rec.Finish()

	res := Response{Status: rec.Status(), Code: code, Header: changed(rec.before, rec.Sent()), Body: bytes.Clone(rec.Body())}

	if rec.Truncated() || response.HeaderSize(res.Header)+int64(len(res.Body)) > maxResponse {
		return omitted(res)
	}

	return res
}

func omitted(res Response) Response {
	return Response{Status: res.Status, Code: res.Code, Omitted: true}
}

// perResponse reports whether a header belongs to one response: its id and date, its framing (RFC 9110, section 6.5; RFC 9112,
// section 6), and cookies, which would restore an old session.
func perResponse(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Date", "Set-Cookie", "Trailer", "Transfer-Encoding", "X-Request-Id":
		return true
	default:
		return false
	}
}

// changed returns the headers that differ from before. Of Vary, to which every layer adds, it is what was added.
func changed(before, after http.Header) http.Header {
	header := http.Header{}

	for name, values := range after {
		if perResponse(name) || slices.Equal(values, before[name]) {
			continue
		}

		header[name] = slices.Clone(values)
	}

	if vary, ok := header["Vary"]; ok {
		header["Vary"] = slices.DeleteFunc(vary, func(v string) bool { return slices.Contains(before["Vary"], v) })
	}

	return header
}

// storable reports whether a response with this status is the outcome of the request. It is not if the outcome is unknown, or
// depends on the time or on what the caller may do.
func storable(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly,
		http.StatusTooManyRequests:
		return false
	default:
		return status < http.StatusInternalServerError
	}
}

func replay(w http.ResponseWriter, r *http.Request, stored Response) {
	if stored.Code != codes.OK {
		reqinfo.From(r.Context()).Fail(stored.Code, nil)
	}

	header := w.Header()
	vary := slices.Concat(header["Vary"], stored.Header["Vary"])

	// Outer layers may add to a header; what is stored must not change.
	maps.Copy(header, stored.Header.Clone())

	if len(vary) > 0 {
		header["Vary"] = vary
	}

	header.Set(headerReplayed, "true")
	w.WriteHeader(stored.Status)
	response.WriteBy(w, len(stored.Body), reqinfo.From(r.Context()).WriteBy)
	// The client may be gone.
	_, _ = w.Write(stored.Body)
}
