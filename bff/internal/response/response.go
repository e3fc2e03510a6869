// Package response is for layers between a handler and the client: a Writer for those that change a response, and a Recorder for
// those that store it. It handles informational responses (RFC 9110, section 15.2), implicit headers, flushing and
// http.ResponseController for all layers.
package response

import (
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

// Hook changes a response before its header is sent.
type Hook interface {
	// BeforeHeader is called once, when the final response begins. It may change the header, and returns the status to send. It is
	// not called for informational responses.
	BeforeHeader(status int) int
}

// Writer passes a response on. Layers embed it and are its hook.
type Writer struct {
	http.ResponseWriter

	hook    Hook
	status  int
	flushed bool
}

// New returns a Writer to next. hook may be nil.
func New(next http.ResponseWriter, hook Hook) Writer { return Writer{ResponseWriter: next, hook: hook} }

// Status is the status of the final response. Zero: it has not begun.
func (w *Writer) Status() int { return w.status }

// Flushed reports whether the handler has sent a part of the response before it returned.
func (w *Writer) Flushed() bool { return w.flushed }

// WriteHeader implements http.ResponseWriter. After the final response has begun, it has no effect.
func (w *Writer) WriteHeader(status int) {
	if w.status != 0 {
		return
	}

	if status >= http.StatusOK {
		w.begin(status)
		status = w.status
	}

	w.ResponseWriter.WriteHeader(status)
}

func (w *Writer) begin(status int) {
	// Set first: the hook may fail.
	w.status = status

	if w.hook != nil {
		w.status = w.hook.BeforeHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *Writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// FlushError is for http.ResponseController.
func (w *Writer) FlushError() error {
	w.WriteHeader(http.StatusOK)
	w.flushed = true

	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher, which has no way to return an error.
func (w *Writer) Flush() { _ = w.FlushError() }

// Unwrap is for http.ResponseController.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Finish is called when the handler has returned. If it has not begun a response, the hook is called, but the header is left to the
// server, so that outer layers see that nothing was written.
func (w *Writer) Finish() {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
}

// Unblocking is the size of net/http's buffer in bytes: smaller writes do not wait for the client.
const Unblocking = 4 << 10

// Hold counts the memory of a response while it is written, in bytes, since outer layers may write it in smaller pieces, for
// example compressed. The writer that counts it, w or one that it wraps, has a method Hold(int) func(). The caller must call
// release, on the goroutine that writes.
func Hold(w http.ResponseWriter, size int) (release func()) {
	for size > Unblocking {
		switch t := w.(type) {
		case interface {
			Hold(size int) (release func())
		}:
			return t.Hold(size)
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			size = 0
		}
	}

	return func() {}
}

// NotModified reports whether the client has the response with the entity tag in its header (RFC 9110, section 13.1.2).
func NotModified(header http.Header, r *http.Request) bool {
	tag := header.Get("Etag")
	return tag != "" && r.Method == http.MethodGet && !httpfield.NoneMatch(r.Header.Values("If-None-Match"), tag)
}

// HeaderSize is about how many bytes a header takes in memory: a bucket of the map for each name, and a string for each value.
func HeaderSize(header http.Header) int64 {
	const nameBytes, valueBytes = 64, 16

	size := 0

	for name, values := range header {
		size += nameBytes + len(name)

		for _, value := range values {
			size += valueBytes + len(value)
		}
	}

	return int64(size)
}
