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

// maxAnswer is the largest answer in bytes that is kept, body and headers. Answers to writes are usually a resource.
const maxAnswer = 1 << 20

// recorder passes an answer on to the client and keeps it.
type recorder struct {
	*response.Recorder

	// before are the headers that outer layers set; they will set them on the next answer too.
	before http.Header
}

func newRecorder(w http.ResponseWriter) recorder {
	return recorder{Recorder: response.Record(w, maxAnswer), before: w.Header().Clone()}
}

// Write never fails: whether the client is there to read the answer must not change it.
func (rec recorder) Write(p []byte) (int, error) {
	_, _ = rec.Recorder.Write(p)

	return len(p), nil
}

// finish returns the answer, which is complete.
func (rec recorder) finish(code codes.Code) Answer {
	rec.Finish()

	a := Answer{Status: rec.Status(), Code: code, Header: changed(rec.before, rec.Sent()), Body: bytes.Clone(rec.Body())}

	if rec.Truncated() || headerSize(a.Header)+int64(len(a.Body)) > maxAnswer {
		return omitted(a)
	}

	return a
}

func omitted(a Answer) Answer { return Answer{Status: a.Status, Code: a.Code, Omitted: true} }

// perAnswer are headers that belong to one answer: its name and date, its framing (RFC 9110, section 6.5; RFC 9112, section 6),
// and cookies, which would bring back an old session.
func perAnswer(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Date", "Set-Cookie", "Trailer", "Transfer-Encoding", "X-Request-Id":
		return true
	default:
		return false
	}
}

// changed are the headers that are not as they were before. Of Vary, to which every layer adds, it is what came on top.
func changed(before, after http.Header) http.Header {
	header := http.Header{}

	for name, values := range after {
		if perAnswer(name) || slices.Equal(values, before[name]) {
			continue
		}

		header[name] = slices.Clone(values)
	}

	if vary, ok := header["Vary"]; ok {
		header["Vary"] = slices.DeleteFunc(vary, func(v string) bool { return slices.Contains(before["Vary"], v) })
	}

	return header
}

// storable reports whether the answer with this status would be the same if the request were made again. It would not where the
// outcome is not known, where it depends on the moment, and where it depends on what the caller may do.
func storable(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly,
		http.StatusTooManyRequests:
		return false
	default:
		return status < http.StatusInternalServerError
	}
}

// replay answers as before.
func replay(w http.ResponseWriter, r *http.Request, a Answer) {
	if a.Code != codes.OK {
		reqinfo.From(r.Context()).Fail(a.Code, nil)
	}

	header := w.Header()
	vary := slices.Concat(header["Vary"], a.Header["Vary"])

	// Outer layers may add to a header; what is kept must not be written to.
	maps.Copy(header, a.Header.Clone())

	if len(vary) > 0 {
		header["Vary"] = vary
	}

	header.Set(headerReplayed, "true")
	w.WriteHeader(a.Status)
	// The client may be gone, and then an error is of no use.
	_, _ = w.Write(a.Body)
}
