package conformance

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
)

// most is how much of a body is kept to be checked, in bytes.
const most = 1 << 20

// Handler returns a handler that lets next answer and then has the exchange checked. The name is that of the test. The document is
// asked for at the first request. What stands below one of the pages is no part of the API.
func (t *Tally) Handler(next http.Handler, name string, pages []string, document func() (*Checker, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()

		if t.isExempt(name) || slices.ContainsFunc(pages, func(page string) bool { return below(path, page) }) {
			next.ServeHTTP(w, r)

			return
		}

		request, answer := &tee{from: r.Body}, &recorder{ResponseWriter: w}
		e := Exchange{Method: r.Method, Path: path, Query: r.URL.RawQuery, Request: Message{Header: r.Header.Clone()}}

		if r.Body != nil && r.Body != http.NoBody {
			r.Body = request
		}

		whole := false

		defer func() {
			if answer.status == 0 {
				answer.status, answer.header = http.StatusOK, w.Header().Clone()
			}

			if !whole && answer.body.Len() == 0 {
				return // The connection was cut instead of an answer.
			}

			e.Request.Body, e.Request.Partial = request.kept.Bytes(), r.ContentLength != 0 && !request.ended || request.more
			e.Status = answer.status
			if r.Method == http.MethodHead {
				answer.body.Reset() // The server sends none of it.
			}

			e.Answer = Message{Header: answer.header, Body: answer.body.Bytes(), Partial: answer.more || !whole}
			t.later(func() {
				c, err := document()
				if err != nil {
					t.note(err.Error(), name)

					return
				}

				t.Check(c, e, name)
			})
		}()

		next.ServeHTTP(answer, r)

		whole = true
	})
}

func below(path, page string) bool {
	return path == page || strings.HasSuffix(page, "/") && page != "/" && strings.HasPrefix(path, page)
}

// tee keeps what is read from a body.
type tee struct {
	from        io.ReadCloser
	kept        bytes.Buffer
	ended, more bool
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)
	t.more = keep(&t.kept, p[:n]) || t.more
	t.ended = t.ended || err == io.EOF //nolint:errorlint // As io.Reader says.

	return n, err //nolint:wrapcheck // It is the reader's.
}

func (t *tee) Close() error { return t.from.Close() } //nolint:wrapcheck // As above.

// keep adds what there is room for, and tells whether there was more.
func keep(buffer *bytes.Buffer, p []byte) bool {
	room := max(most-buffer.Len(), 0)
	buffer.Write(p[:min(room, len(p))])

	return len(p) > room
}

// recorder keeps an answer that goes to the client.
type recorder struct {
	http.ResponseWriter

	status int
	header http.Header
	body   bytes.Buffer
	more   bool
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status, r.header = status, r.Header().Clone()
	}

	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status, r.header = http.StatusOK, r.Header().Clone()
	}

	n, err := r.ResponseWriter.Write(p)
	r.more = keep(&r.body, p[:n]) || r.more || err != nil

	return n, err //nolint:wrapcheck // It is the writer's.
}

// Flush implements http.Flusher.
func (r *recorder) Flush() {
	if r.status == 0 {
		r.status, r.header = http.StatusOK, r.Header().Clone()
	}

	_ = http.NewResponseController(r.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
