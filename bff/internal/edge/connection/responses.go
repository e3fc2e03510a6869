package connection

import (
	"container/list"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// errAborted is the error of a handler that writes to a client which does not read.
var errAborted = errors.New("the client reads too slowly")

const (
	// pieceSize is how much is written at a time. A client that has read a piece is reading.
	pieceSize = 64 << 10
	// minStall is how long a client must have read no piece before its response is aborted: clients that read are not affected by
	// others.
	minStall = 250 * time.Millisecond
	// resetTimeout is after how long a connection of HTTP/2 is closed that does not even accept the reset of a stream.
	resetTimeout = time.Second
)

// Responses bounds what is buffered for clients on all connections together. When there is more, the response whose client has read
// nothing for the longest time is aborted: its connection is closed or, over HTTP/2, its stream is reset. It is safe for concurrent
// use.
type Responses struct {
	limit  atomic.Int64
	cutOff atomic.Int64

	mu       sync.Mutex
	buffered int64
	// pendingAbort is the part of buffered whose write was aborted, but has not returned yet.
	pendingAbort int64
	// waiting are the *responseWriter that are writing; the client of the first has read nothing for the longest time.
	waiting list.List
	// recheck is set while the limit is exceeded, but all clients have read something lately.
	recheck *time.Timer
}

// NewResponses bounds what is buffered to so many bytes. Zero: it is not bounded.
func NewResponses(limit int64) *Responses {
	b := &Responses{}
	b.SetLimit(limit)

	return b
}

// SetLimit changes the bound. A lower one takes effect when more is buffered.
func (b *Responses) SetLimit(limit int64) { b.limit.Store(limit) }

// Buffered is how many bytes are buffered.
func (b *Responses) Buffered() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.buffered
}

// CutOff is how many responses were aborted so far.
func (b *Responses) CutOff() int64 { return b.cutOff.Load() }

// Handler counts what next writes. It belongs where responses are logged.
func (b *Responses) Handler(next http.Handler) http.Handler {
	var count response.Wrapper = b.count

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(response.Lazily(w, r, count), r)
	})
}

// count returns a writer that counts what waits for the client.
func (b *Responses) count(next http.ResponseWriter, r *http.Request) http.ResponseWriter {
	return &responseWriter{ResponseWriter: next, request: r, responses: b}
}

type responseWriter struct {
	http.ResponseWriter

	request   *http.Request
	responses *Responses
	// held is how many bytes the response takes. Zero: as many as are written.
	held int

	// The mutex of Responses guards these, from begin to end: the element in waiting, nil if it was aborted, the size, and the last
	// progress.
	place *list.Element
	size  int64
	since time.Time
	// silence is how long the client had read nothing when the response was aborted. Zero: it was not.
	silence time.Duration

	// ending keeps a write from ending while the response is being aborted.
	ending     sync.Mutex
	ended      bool
	resetTimer *time.Timer
}

func (w *responseWriter) Write(p []byte) (n int, err error) {
	size := max(len(p), w.held)
	if size <= response.Unblocking {
		return w.ResponseWriter.Write(p)
	}

	err = w.waiting(size, func() error {
		for n < len(p) {
			wrote, err := w.ResponseWriter.Write(p[n:min(len(p), n+pieceSize)])
			n += wrote

			if err != nil {
				return err
			}

			w.responses.progress(w)
		}

		return nil
	})

	return n, err
}

func (w *responseWriter) FlushError() error {
	flush := http.NewResponseController(w.ResponseWriter).Flush
	if w.held <= response.Unblocking {
		return flush()
	}

	return w.waiting(w.held, flush)
}

// Flush implements http.Flusher, which has no way to return an error.
func (w *responseWriter) Flush() { _ = w.FlushError() }

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hold sets how many bytes the response takes (see response.Hold).
func (w *responseWriter) Hold(size int) (release func()) {
	w.held = size
	return func() { w.held = 0 }
}

// waiting counts so many bytes while something is written.
func (w *responseWriter) waiting(size int, write func() error) error {
	if w.silence > 0 {
		return errAborted
	}

	if err := w.counted(size, write); w.silence == 0 {
		return err
	}

	reqinfo.From(w.request.Context()).Fail(codes.ResourceExhausted, fmt.Errorf(
		"%w: it read nothing for %s, and overload.max_buffered_response_bytes was reached", errAborted,
		w.silence.Round(time.Millisecond)))

	return errAborted
}

func (w *responseWriter) counted(size int, write func() error) error {
	w.responses.begin(w, int64(size))
	defer w.responses.end(w)

	return write()
}

func (b *Responses) begin(w *responseWriter, size int64) {
	w.ended = false

	b.mu.Lock()

	w.size, w.since = size, time.Now()
	w.place = b.waiting.PushBack(w)
	b.buffered += size
	aborted := b.excess()

	b.mu.Unlock()

	abortAll(aborted)
}

// progress is called when the client has read something.
func (b *Responses) progress(w *responseWriter) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if w.place != nil {
		w.since = time.Now()
		b.waiting.MoveToBack(w.place)
	}
}

func (b *Responses) end(w *responseWriter) {
	b.mu.Lock()

	b.buffered -= w.size

	if w.place == nil {
		b.pendingAbort -= w.size
	} else {
		b.waiting.Remove(w.place)
		w.place = nil
	}

	b.mu.Unlock()

	w.ending.Lock()
	defer w.ending.Unlock()

	w.ended = true
	if w.resetTimer != nil {
		w.resetTimer.Stop()
	}
}

// excess removes the responses that have to be aborted to stay within the limit.
func (b *Responses) excess() (aborted []*responseWriter) {
	limit := b.limit.Load()

	for limit > 0 && b.buffered-b.pendingAbort > limit {
		first := b.waiting.Front()

		w, ok := first.Value.(*responseWriter)
		if !ok {
			break
		}

		silence := time.Since(w.since)
		if silence < minStall {
			b.checkIn(minStall - silence)
			break
		}

		b.waiting.Remove(first)
		b.pendingAbort += w.size
		w.place, w.silence = nil, silence

		b.cutOff.Add(1)

		aborted = append(aborted, w)
	}

	return aborted
}

func (b *Responses) checkIn(wait time.Duration) {
	if b.recheck != nil {
		return
	}

	b.recheck = time.AfterFunc(wait, func() {
		b.mu.Lock()

		b.recheck = nil
		aborted := b.excess()

		b.mu.Unlock()

		abortAll(aborted)
	})
}

func abortAll(aborted []*responseWriter) {
	for _, w := range aborted {
		w.abort()
	}
}

// abort ends a write that waits for the client.
func (w *responseWriter) abort() {
	w.ending.Lock()
	defer w.ending.Unlock()

	if w.ended {
		return
	}

	// It ends a stream of HTTP/2, and a connection of HTTP/1.1, which net/http closes.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Unix(1, 0))

	if conn, ok := connOf(w.request.Context()); ok {
		w.resetTimer = time.AfterFunc(resetTimeout, func() { closeAbruptly(conn) })
	}
}
