package conformance

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/portico-gateway/portico/bff/internal/response"
)

// most is how much of a body is kept to be checked, in bytes.
const most = 64 << 10

// Handler returns a handler that lets next answer and then has the exchange checked. The name is that of the test. The document is
// asked for at the first request. The pages, and what is below one that ends with a slash, are no part of the API.
func (t *Tally) Handler(next http.Handler, name string, pages []string, document func() (*Checker, error)) http.Handler {
	origin := new(byte)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()

		if t.isExempt(name) || t.isPage(name, path) || slices.ContainsFunc(pages, func(page string) bool { return below(path, page) }) {
			next.ServeHTTP(w, r)

			return
		}

		seen := &observation{
			tally: t, name: name, origin: origin, document: document,
			request: &tee{from: r.Body}, answer: &recorder{Recorder: response.Record(w, most)},
			exchange: Exchange{Method: r.Method, Path: path, Query: r.URL.RawQuery, Request: Message{Header: r.Header.Clone()}},
		}

		if r.Body != nil && r.Body != http.NoBody {
			// net/http looks at the body of its own request to see whether the client waits for "100 Continue".
			r = r.WithContext(r.Context())
			r.Body = seen.request
		}

		whole := false

		defer func() { seen.end(r, whole) }()

		next.ServeHTTP(seen.answer, r)

		whole = true
	})
}

// observation is an exchange that is going on.
type observation struct {
	tally    *Tally
	name     string
	origin   *byte
	document func() (*Checker, error)
	request  *tee
	answer   *recorder
	exchange Exchange
}

// end has the exchange checked. It is not whole if the handler broke it off.
func (o *observation) end(r *http.Request, whole bool) {
	answer, e := o.answer, o.exchange

	switch {
	case answer.Status() == 0 && r.Context().Err() != nil:
		return // The client went away, and was not answered.
	case !whole && len(answer.Body()) == 0:
		return // The connection was cut instead of an answer.
	}

	answer.Finish()

	e.Request.Body, e.Request.Partial = o.request.taken(r.ContentLength != 0)
	e.Status = answer.Status()
	e.Answer = Message{
		Header: answer.Sent(), Body: answer.Body(),
		// Nobody hears the end of a response whose client has gone.
		Partial: answer.Truncated() || answer.failed || !whole || r.Context().Err() != nil,
	}

	if r.Method == http.MethodHead {
		e.Answer.Body = nil // The server sends none of it.
	}

	o.tally.later(o.origin, observed{exchange: e, document: o.document, where: o.name})
}

func below(path, page string) bool {
	return path == page || strings.HasSuffix(page, "/") && page != "/" && strings.HasPrefix(path, page)
}

// tee keeps what is read from a body.
type tee struct {
	from io.ReadCloser

	mu          sync.Mutex
	kept        bytes.Buffer
	ended, more bool
}

// taken is what was read so far, and whether that is only a part. A body that is none has no end either.
func (t *tee) taken(body bool) ([]byte, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()

	return bytes.Clone(t.kept.Bytes()), body && !t.ended || t.more
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)

	t.mu.Lock()
	defer t.mu.Unlock()

	t.more = keep(&t.kept, p[:n]) || t.more
	t.ended = t.ended || err == io.EOF

	return n, err
}

func (t *tee) Close() error { return t.from.Close() }

// keep adds what there is room for, and reports whether there was more.
func keep(buffer *bytes.Buffer, p []byte) bool {
	room := max(most-buffer.Len(), 0)
	buffer.Write(p[:min(room, len(p))])

	return len(p) > room
}

// recorder keeps an answer that goes to the client.
type recorder struct {
	*response.Recorder

	// failed reports that the client did not get all of it.
	failed bool
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	n, err := r.Recorder.Write(p)
	r.failed = r.failed || err != nil

	return n, err
}
