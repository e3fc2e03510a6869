package response

import (
	"bytes"
	"net/http"
)

// Recorder stores a response: its status, its header as it was when the response began, and its body up to a limit.
type Recorder struct {
	Writer

	sent      http.Header
	body      bytes.Buffer
	limit     int
	truncated bool
}

// Record returns a Recorder that also passes the response on to next, which may be nil. It stores at most limit bytes of the body.
// Zero: all of it.
func Record(next http.ResponseWriter, limit int) *Recorder {
	if next == nil {
		next = nowhere{}
	}

	rec := &Recorder{limit: limit}
	rec.Writer = New(next, nil, rec)

	return rec
}

// BeforeHeader implements Hook.
func (rec *Recorder) BeforeHeader(_ *http.Request, header http.Header, status int) int {
	// Outer layers may change the header on its way out.
	rec.sent = header.Clone()
	return status
}

// Write implements http.ResponseWriter.
func (rec *Recorder) Write(p []byte) (int, error) {
	stored := p
	if rec.limit > 0 {
		stored = p[:min(len(p), rec.limit-rec.body.Len())]
	}

	rec.truncated = rec.truncated || len(stored) < len(p)
	rec.body.Write(stored)

	return rec.Writer.Write(p)
}

// Sent is the header with which the response began. Nil: it has not begun.
func (rec *Recorder) Sent() http.Header { return rec.sent }

// Body is the stored part of the body. It is valid until the next Write.
func (rec *Recorder) Body() []byte { return rec.body.Bytes() }

// Truncated reports whether the body is longer than the stored part.
func (rec *Recorder) Truncated() bool { return rec.truncated }

// nowhere is the header of a response that is not sent.
type nowhere http.Header

func (n nowhere) Header() http.Header { return http.Header(n) }

func (nowhere) WriteHeader(int) {}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
