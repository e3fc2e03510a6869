package edge_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge"
)

// upload is a stream of HTTP/2: a client that sends a piece at each interval, and the answer that it sees. It reads the answer, and
// stops sending, if it is told to.
type upload struct {
	http.ResponseWriter

	pieces   int // Negative: they never end.
	piece    int
	interval time.Duration
	obedient bool
	broken   error

	mu       sync.Mutex
	deadline time.Time
	flushed  bool
	sent     time.Time // When it was flushed.
	read     int
}

func (u *upload) SetReadDeadline(t time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()

	u.deadline = t

	return nil
}

func (u *upload) FlushError() error {
	u.mu.Lock()
	defer u.mu.Unlock()

	u.flushed, u.sent = true, time.Now()

	return nil
}

func (u *upload) Read(p []byte) (int, error) {
	switch {
	case u.broken != nil:
		return 0, u.broken
	case u.pieces == 0:
		return 0, io.EOF
	}

	u.mu.Lock()
	wait, deadline := u.interval, u.deadline

	if u.obedient && u.flushed {
		wait = time.Hour
	}
	u.mu.Unlock()

	if left := time.Until(deadline); !deadline.IsZero() && left < wait {
		time.Sleep(left)

		u.broken = os.ErrDeadlineExceeded

		return 0, u.broken
	}

	time.Sleep(wait)

	u.pieces--
	u.read += min(len(p), u.piece)

	return min(len(p), u.piece), nil
}

func (*upload) Close() error { return errors.New("closed") }

func TestLinger(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		upload *upload
		header http.Header
		method string
		reads  bool
		// After so long the stream ends, the answer was sent before that or not, and so much of the body was read.
		took    time.Duration
		flushed bool
		read    int
	}{
		"ends_soon": {
			upload: &upload{pieces: 5, piece: 1000, interval: 10 * time.Millisecond},
			took:   50 * time.Millisecond, read: 5000,
		},
		"was_read": {upload: &upload{pieces: 5, piece: 1000}, reads: true, read: 5000},
		"ends_later": {
			upload: &upload{pieces: 5, piece: 1000, interval: 100 * time.Millisecond},
			took:   500 * time.Millisecond, flushed: true, read: 5000,
		},
		"stops_when_it_sees_the_answer": {
			upload: &upload{pieces: -1, piece: 1000, interval: 51 * time.Millisecond, obedient: true},
			took:   102*time.Millisecond + 500*time.Millisecond, flushed: true, read: 2000,
		},
		"never_stops": {
			upload: &upload{pieces: -1, piece: 1000, interval: 100 * time.Millisecond},
			took:   2 * time.Second, flushed: true, read: 20000,
		},
		"sends_nothing": {upload: &upload{pieces: -1, interval: time.Hour}, took: 500 * time.Millisecond, flushed: true},
		"is_large": {
			upload: &upload{pieces: -1, piece: 1 << 14},
			took:   500 * time.Millisecond, flushed: true, read: 2 << 20,
		},
		"was_too_slow_before": {
			upload: &upload{broken: os.ErrDeadlineExceeded},
			took:   500 * time.Millisecond, flushed: true,
		},
		"head": {
			upload: &upload{pieces: 5, piece: 1000, interval: 100 * time.Millisecond}, method: http.MethodHead,
			took: 500 * time.Millisecond, read: 5000,
		},
		"waits_for_continue": {
			upload: &upload{pieces: -1, interval: time.Hour}, header: http.Header{"Expect": {"100-continue"}},
		},
		"was_told_to_continue": {
			upload: &upload{pieces: 1, piece: 10}, header: http.Header{"Expect": {"100-continue"}}, reads: true, read: 10,
		},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := test.upload
				u.ResponseWriter = httptest.NewRecorder()
				start := time.Now()

				edge.Linger(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if test.reads {
						_, _ = io.Copy(io.Discard, r.Body)
					}

					w.WriteHeader(http.StatusUnauthorized)

					if err := r.Body.Close(); err != nil {
						t.Error(err)
					}
				})).ServeHTTP(u, u.request(t.Context(), test.method, test.header))

				if took := time.Since(start); took != test.took || u.flushed != test.flushed || u.read != test.read {
					t.Errorf("took %s, sent the answer before %t, read %d", took, u.flushed, u.read)
				}
			})
		})
	}
}

func (u *upload) request(ctx context.Context, method string, header http.Header) *http.Request {
	r := httptest.NewRequestWithContext(ctx, method, "/", nil)
	r.ProtoMajor, r.Body, r.ContentLength = 2, u, -1

	if header != nil {
		r.Header = header
	}

	return r
}

// Once, the answer waited for a read to return: a client that had paused got it when the server gave up reading.
func TestAnswerIsSentDuringARead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, u := range []*upload{
			{pieces: -1, interval: time.Hour},
			{pieces: -1, piece: 10, interval: 450 * time.Millisecond},
		} {
			u.ResponseWriter = httptest.NewRecorder()
			start := time.Now()

			edge.Linger(http.HandlerFunc(ok)).ServeHTTP(u, u.request(t.Context(), http.MethodPost, nil))

			if took := u.sent.Sub(start); took != 100*time.Millisecond {
				t.Errorf("sent after %s", took)
			}
		}
	})
}

// slowFlush is an upload whose flush takes its time.
type slowFlush struct {
	*upload

	flushing atomic.Bool
}

func (s *slowFlush) FlushError() error {
	if s.flushing.Swap(true) {
		return errors.New("is flushed twice at a time")
	}

	defer s.flushing.Store(false)

	time.Sleep(time.Second)

	return s.upload.FlushError()
}

// The writer of a handler must not be used after it has returned.
func TestFlushEndsBeforeTheHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slowFlush{upload: &upload{pieces: 2, piece: 10, interval: 90 * time.Millisecond, ResponseWriter: httptest.NewRecorder()}}
		start := time.Now()

		edge.Linger(http.HandlerFunc(ok)).ServeHTTP(s, s.request(t.Context(), http.MethodPost, nil))

		// The body ends after 180 ms, in the middle of the flush.
		if took := time.Since(start); took != 1100*time.Millisecond || s.flushing.Load() || !s.flushed {
			t.Errorf("took %s, flushing %t, flushed %t", took, s.flushing.Load(), s.flushed)
		}
	})
}

// A client that is gone is not waited for, nor one without a body.
func TestLingerWaitsForNobody(t *testing.T) {
	t.Parallel()

	gone, leave := context.WithCancel(t.Context())

	tests := map[string]func(*http.Request) *http.Request{
		"gone":    func(r *http.Request) *http.Request { return r.WithContext(gone) },
		"no_body": func(r *http.Request) *http.Request { r.ContentLength = 0; return r },
		"http1":   func(r *http.Request) *http.Request { r.ProtoMajor = 1; return r },
	}

	leave()

	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := &upload{pieces: -1, interval: time.Hour, ResponseWriter: httptest.NewRecorder()}
				start := time.Now()

				edge.Linger(http.HandlerFunc(ok)).ServeHTTP(u, change(u.request(t.Context(), http.MethodPost, nil)))

				if took := time.Since(start); took != 0 || u.flushed {
					t.Errorf("took %s, flushed %t", took, u.flushed)
				}
			})
		})
	}
}

// What a handler left behind, such as the goroutine of a stream, gets nothing of the rest of the body.
func TestNobodyElseReadsTheRest(t *testing.T) {
	t.Parallel()

	var left io.Reader

	u := &upload{pieces: 5, piece: 1000, ResponseWriter: httptest.NewRecorder()}

	edge.Linger(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { left = r.Body })).
		ServeHTTP(u, u.request(t.Context(), http.MethodPost, nil))

	if n, err := left.Read(make([]byte, 10)); n != 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("%d %v", n, err)
	}
}
