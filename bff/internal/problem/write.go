package problem

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

const maxInstance = 256

// Write writes the problem as the response, as a problem document or, if the client asks for it, as a google.rpc.Status, and puts
// its code and cause on the request's record. An EventSource gets a temporary problem as an event. Nothing must have been written
// before. The cause is for the log alone; nil means that there is none besides the problem.
func Write(w http.ResponseWriter, r *http.Request, p *Problem, cause error) {
	rec := reqinfo.From(r.Context())
	p.Record(rec, cause)
	tracing.Refused(r, p.Code, p.Detail)

	header := w.Header()
	// They are about the response that is replaced (RFC 9110, sections 6.5 and 8): grpc-gateway's streams, middleware and the
	// handlers of pages set them early.
	for _, name := range []string{"Trailer", "Transfer-Encoding", "Content-Length", "Content-Encoding", "Etag", "Last-Modified"} {
		delete(header, name)
	}

	header.Set("Cache-Control", "no-store")

	if p.Temporary() && eventsWanted(r, rec) {
		p.writeEvent(w, r, rec)
		return
	}

	if p.RetryAfter > 0 {
		header.Set("Retry-After", Seconds(p.RetryAfter))
	}

	if p.Status == http.StatusUnauthorized {
		challenge(header, settingsOf(r.Context()).Challenges)
	}

	mediaType, form := ContentType, p.Document

	if WantsStatus(r.Header.Values("Accept")) {
		header.Add("Vary", "Accept")

		mediaType, form = mediaTypeStatus, p.statusDocument
	}

	header.Set("Content-Type", mediaType)
	w.WriteHeader(p.Status)
	// An error means that the client is gone.
	_, _ = w.Write(append(form(r), '\n'))
}

// Document is the problem document that Write writes for the request, without a newline at its end.
func (p *Problem) Document(r *http.Request) []byte {
	doc := p.For(r)
	return withMembers(encode(doc), doc.Extensions)
}

// For returns a copy of the problem as the client of the request reads it. The problem itself may be shared.
func (p *Problem) For(r *http.Request) *Problem {
	doc, rec := *p, reqinfo.From(r.Context())
	doc.RequestID, doc.TraceID = rec.ID, rec.TraceID
	doc.Instance = Clip(r.URL.EscapedPath(), maxInstance)

	if doc.Status == http.StatusUnauthorized {
		doc.Login = rec.Login
	}

	if edit := settingsOf(r.Context()).Edit; edit != nil {
		_, cause := rec.Outcome()
		edit(r, &doc, cause)
	}

	return &doc
}

// Seconds formats a duration as a delay in seconds, rounded up (RFC 9110, section 10.2.3).
func Seconds(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}

func encode(v any) []byte {
	var buf bytes.Buffer

	enc := json.NewEncoder(&buf)
	// Readable for people with curl; the media type keeps browsers from taking it for HTML.
	enc.SetEscapeHTML(false)
	// What consists of strings and numbers always encodes.
	_ = enc.Encode(v)

	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
