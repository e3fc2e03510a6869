package edge

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// How long Linger reads on, and how much. All of it is well within writeGrace, after which the stream is reset.
const (
	// lingerHold is how long the response waits for the end of the body, even if nothing arrives. Most bodies end within it, and
	// the stream ends in order.
	lingerHold = 100 * time.Millisecond
	// lingerQuiet is how long nothing arrives from a client that has stopped sending: more than a round trip.
	lingerQuiet = 500 * time.Millisecond
	// lingerTime and lingerBytes bound what is read in all. A client may send a window (1 MiB) before it sees the response; the
	// rest is for bodies a little over the limit of their route.
	lingerTime  = 2 * time.Second
	lingerBytes = 2 << 20
	// lingerBuffer is what is read at a time.
	lingerBuffer = 16 << 10
)

// Linger lets clients read responses that were sent before the request's body was read. If a handler returns before the end of the
// body, net/http resets a stream of HTTP/2 after the response (RFC 9113, section 8.1), and clients that are sending at that moment
// often lose the response. So the rest of the body is read and discarded first, for a bounded time and number of bytes. If it does
// not end soon, the response is sent meanwhile, so that the client can stop.
//
// It belongs outside of all layers that count requests or hold resources for them. A client that waits for "100 Continue" has sent
// nothing, and is not asked to. Over HTTP/1.1 net/http reads on by itself, except after it has sent a "100 Continue".
func Linger(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		expects := r.Header["Expect"] != nil

		// A body of length zero may still have to be ended; without a length there is nothing to read.
		if r.ProtoMajor != 2 && !expects || r.ContentLength == 0 && r.Header["Content-Length"] == nil {
			next.ServeHTTP(w, r)
			return
		}

		body := &pendingBody{body: r.Body}
		body.sent.Store(!expects)

		// net/http looks at the body of its own request to see whether the client waits for "100 Continue".
		r = r.WithContext(r.Context())
		r.Body = body

		next.ServeHTTP(w, r)

		body.handled.Store(true)
		body.linger(w, r)
	})
}

// pendingBody is the body of a request whose response may be sent before its end. Like net/http's it may be read on one goroutine
// and closed on another. After the handler has returned, only linger can read it.
type pendingBody struct {
	body io.ReadCloser
	// sent reports that the client sends without "100 Continue", or got it; ended that all has been read.
	sent, ended, handled atomic.Bool
}

func (b *pendingBody) Read(p []byte) (int, error) {
	if b.handled.Load() {
		return 0, http.ErrBodyReadAfterClose
	}

	b.sent.Store(true)

	n, err := b.read(p)
	if b.handled.Load() {
		return 0, http.ErrBodyReadAfterClose
	}

	return n, err
}

// Close implements io.Closer. The server closes its own when the request is over.
func (b *pendingBody) Close() error {
	b.handled.Store(true)
	return nil
}

func (b *pendingBody) read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if errors.Is(err, io.EOF) {
		b.ended.Store(true)
	}

	return n, err
}

// linger reads and discards the rest of the body, until it ends or the client has had the time to read the response.
func (b *pendingBody) linger(w http.ResponseWriter, r *http.Request) {
	if b.ended.Load() || !b.sent.Load() || r.Context().Err() != nil {
		return
	}

	conn, flushed := http.NewResponseController(w), make(chan struct{})
	timer := time.AfterFunc(lingerHold, func() {
		defer close(flushed)

		flush(conn, r)
	})

	done := b.discard(conn)

	// The writer is not valid any more when this returns: a flush that has begun is waited for, and none begins.
	unsent := timer.Stop()
	if !unsent {
		<-flushed
	}

	if done {
		return
	}

	if unsent {
		flush(conn, r)
	}

	// The client can send on, at most a window, until it sees the response.
	select {
	case <-time.After(lingerQuiet):
	case <-r.Context().Done():
	}
}

// discard reads on, and reports whether there is nothing more to wait for: the body ended, or the client has paused or used up its
// time.
func (b *pendingBody) discard(conn *http.ResponseController) bool {
	buffer, start := make([]byte, lingerBuffer), time.Now()

	for left := lingerBytes; left > 0; {
		_ = conn.SetReadDeadline(time.Now().Add(min(lingerQuiet, lingerTime-time.Since(start))))

		n, err := b.read(buffer)
		if err != nil {
			// If it is too early for that, nothing can be read any more since the request's own deadline.
			return b.ended.Load() || time.Since(start) > lingerHold
		}

		left -= n
	}

	return false
}

// flush sends the response, but not its end. The response to HEAD ends with the header, after which net/http would reset the
// stream.
func flush(conn *http.ResponseController, r *http.Request) {
	if r.Method != http.MethodHead {
		// Whether the client is there to read it makes no difference.
		_ = conn.Flush()
	}
}
