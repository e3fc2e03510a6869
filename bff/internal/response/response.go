// Package response is for layers between a handler and the client: a Writer for those that change a response, and a Recorder for
// those that store it. It handles informational responses (RFC 9110, section 15.2), implicit headers, flushing and
// http.ResponseController for all layers.
package response

import (
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

// Hook changes a response before its header is sent.
type Hook interface {
	// BeforeHeader is called once, when the final response to r begins. It may change the header, and returns the status to send.
	// It is not called for informational responses.
	BeforeHeader(r *http.Request, header http.Header, status int) int
}

// maxHooks is how many hooks a Writer has at most.
const maxHooks = 6

// Writer passes a response on, and counts it. A request has one, to which layers add their hooks; layers that also change the body
// embed another. It is not safe for concurrent use; the heartbeats of streams use it on a goroutine of their own, under a lock.
type Writer struct {
	http.ResponseWriter

	hooks [maxHooks]hooked
	count int
	// wrap is for ResponseWriter, before a write that may wait for the client. Nil: there is none, or it was called.
	wrap Wrapper
	// wrapped is the request for wrap.
	wrapped *http.Request

	status, size int
	flushed      bool
}

// hooked is a hook with its request.
type hooked struct {
	Hook

	request *http.Request
}

// New returns a Writer of the response to r. hook may be nil.
func New(next http.ResponseWriter, r *http.Request, hook Hook) Writer {
	w := Writer{ResponseWriter: next}
	if hook != nil {
		w.add(r, hook)
	}

	return w
}

// Hooked is the writer of a layer that has added a hook.
type Hooked interface {
	http.ResponseWriter

	// Flushed reports whether the handler has sent a part of the response before it returned.
	Flushed() bool

	add(r *http.Request, hook Hook) bool
	wrapLater(r *http.Request, wrap Wrapper) bool
}

// Wrapper returns a writer around next, which is that of the response to r.
type Wrapper func(next http.ResponseWriter, r *http.Request) http.ResponseWriter

// Lazily returns a writer that puts another one around what it writes to, when a write may wait for the client (see Unblocking).
// Most responses never need that. It is w itself if that is a Writer, or one around it.
func Lazily(w http.ResponseWriter, r *http.Request, wrap Wrapper) http.ResponseWriter {
	if known, ok := w.(Hooked); ok && known.wrapLater(r, wrap) {
		return known
	}

	around := New(w, r, nil)
	around.wrapLater(r, wrap)

	return &around
}

// With returns a writer that calls the hook, before those that were added earlier: w itself if it is a Writer, or one around it.
// finish must be called when the handler has returned.
func With(w http.ResponseWriter, r *http.Request, hook Hook) (_ Hooked, finish func()) {
	if known, ok := w.(Hooked); ok && known.add(r, hook) {
		return known, func() {}
	}

	around := New(w, r, hook)

	return &around, around.Finish
}

func (w *Writer) add(r *http.Request, hook Hook) bool {
	if w.count == maxHooks {
		return false
	}

	w.hooks[w.count] = hooked{hook, r}
	w.count++

	return true
}

func (w *Writer) wrapLater(r *http.Request, wrap Wrapper) bool {
	if w.wrap != nil {
		return false
	}

	w.wrap, w.wrapped = wrap, r

	return true
}

// expect prepares for writing so many bytes.
func (w *Writer) expect(size int) {
	if w.wrap != nil && size > Unblocking {
		w.ResponseWriter, w.wrap = w.wrap(w.ResponseWriter, w.wrapped), nil
	}
}

// Status is the status of the final response. Zero: it has not begun.
func (w *Writer) Status() int { return w.status }

// Size is how many bytes of the body were written.
func (w *Writer) Size() int { return w.size }

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

// begin runs the hooks, the last one first.
func (w *Writer) begin(status int) {
	// Set first: a hook may fail.
	w.status = status

	for i := w.count - 1; i >= 0; i-- {
		hook := &w.hooks[i]
		w.status = hook.BeforeHeader(hook.request, w.Header(), w.status)
	}
}

// Write implements http.ResponseWriter.
func (w *Writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.expect(len(p))

	n, err := w.ResponseWriter.Write(p)
	w.size += n

	return n, err
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

// Finish is called when the handler has returned. If it has not begun a response, the hooks are called, but the header is left to
// the server, so that outer layers see that nothing was written.
func (w *Writer) Finish() {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
}

// Unblocking is the size of net/http's buffer in bytes: smaller writes do not wait for the client.
const Unblocking = 4 << 10

// WriteBy sets until when the client may read a response of this size in bytes. One that does not wait for the client needs no
// deadline but that of the server, and setting it costs.
func WriteBy(w http.ResponseWriter, size int, end time.Time) {
	if size > Unblocking {
		_ = http.NewResponseController(w).SetWriteDeadline(end)
	}
}

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

// Hold is for the function Hold.
func (w *Writer) Hold(size int) (release func()) {
	w.expect(size)
	return Hold(w.ResponseWriter, size)
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
