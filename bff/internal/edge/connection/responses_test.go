package connection_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/connection"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// reader is a client that takes each piece of an answer after a while. Zero: never.
type reader struct {
	http.ResponseWriter

	every time.Duration
	// stuck is a connection that does not end when it should.
	stuck bool

	once     sync.Once
	deadline chan struct{}
}

func newReader(every time.Duration) *reader {
	return &reader{ResponseWriter: httptest.NewRecorder(), every: every, deadline: make(chan struct{})}
}

func (r *reader) SetWriteDeadline(t time.Time) error {
	if !r.stuck && time.Until(t) < 0 {
		r.once.Do(func() { close(r.deadline) })
	}

	return nil
}

func (r *reader) Write(p []byte) (int, error) {
	var taken <-chan time.Time
	if r.every > 0 {
		taken = time.After(r.every)
	}

	select {
	case <-taken:
		return len(p), nil
	case <-r.deadline:
		return 0, os.ErrDeadlineExceeded
	}
}

// outcome is how an answer ended.
type outcome struct {
	err   error
	took  time.Duration
	cause error
}

// answer sends so many bytes to the reader, and returns what tells of the end.
func answer(ctx context.Context, responses *connection.Responses, r *reader, size int) <-chan outcome {
	ended := make(chan outcome, 1)
	rec := &reqinfo.Record{}

	go func() {
		start := time.Now()

		responses.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write(make([]byte, size))
			_, cause := rec.Outcome()
			ended <- outcome{err, time.Since(start), cause}
		})).ServeHTTP(r, httptest.NewRequestWithContext(reqinfo.NewContext(ctx, rec), http.MethodGet, "/", nil))
	}()
	synctest.Wait()

	return ended
}

const mega = 1 << 20

func TestSlowestReaderIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		responses := connection.NewResponses(3 * mega)

		// 16 pieces each.
		slow := answer(t.Context(), responses, newReader(10*time.Second), mega)
		silent := answer(t.Context(), responses, newReader(0), mega)

		time.Sleep(11 * time.Second) // Now the slow one has taken something last.

		quick := answer(t.Context(), responses, newReader(time.Millisecond), mega)

		if got := responses.Buffered(); got != 3*mega || responses.CutOff() != 0 {
			t.Errorf("%d bytes wait, %d were cut off", got, responses.CutOff())
		}

		another := answer(t.Context(), responses, newReader(time.Millisecond), mega)

		end := <-silent
		if end.err == nil || end.took != 11*time.Second || end.cause == nil || !strings.Contains(end.cause.Error(), "read nothing for 11s") {
			t.Errorf("the silent one: %+v", end)
		}

		for name, ended := range map[string]<-chan outcome{"quick": quick, "another": another, "slow": slow} {
			if end := <-ended; end.err != nil || end.cause != nil {
				t.Errorf("%s: %+v", name, end)
			}
		}

		if got := responses.Buffered(); got != 0 || responses.CutOff() != 1 {
			t.Errorf("at the end %d bytes wait, %d were cut off", got, responses.CutOff())
		}
	})
}

// Who reads is not cut off, whatever waits; who does not is, even if all came at once.
func TestBurstOfReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		responses := connection.NewResponses(mega)

		var silent, quick []<-chan outcome
		for range 10 {
			quick = append(quick, answer(t.Context(), responses, newReader(200*time.Millisecond), mega))
			silent = append(silent, answer(t.Context(), responses, newReader(0), mega))
		}

		time.Sleep(time.Second)

		if got := responses.Buffered(); got != 10*mega {
			t.Errorf("%d bytes wait", got)
		}

		for _, ended := range silent {
			if end := <-ended; end.err == nil || end.took != 250*time.Millisecond {
				t.Errorf("a silent one: %+v", end)
			}
		}

		for _, ended := range quick {
			if end := <-ended; end.err != nil {
				t.Errorf("a quick one: %+v", end)
			}
		}
	})
}

func TestSmallAnswersDoNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		responses := connection.NewResponses(1)
		ended := answer(t.Context(), responses, newReader(time.Minute), 4<<10)

		if got := responses.Buffered(); got != 0 {
			t.Errorf("%d bytes wait", got)
		}

		if end := <-ended; end.err != nil {
			t.Error(end.err)
		}
	})
}

// What is compressed on its way out takes as much memory as before.
func TestHeldAnswersCountWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		responses := connection.NewResponses(mega)
		ended := make(chan error, 2)

		for range 2 {
			go responses.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				release := response.Hold(wrapped{w}, mega)
				_, err := w.Write([]byte("compressed"))

				release()

				ended <- err
			})).ServeHTTP(newReader(0), request())
		}

		if err := <-ended; err == nil {
			t.Error("both may wait")
		}

		// The other one fits.
		time.Sleep(time.Minute)

		if got := responses.Buffered(); got != mega || len(ended) != 0 {
			t.Errorf("%d bytes wait, %d more ended", got, len(ended))
		}

		third := answer(t.Context(), responses, newReader(time.Millisecond), mega)

		if err := <-ended; err == nil {
			t.Error("the other one is still there")
		}

		<-third
	})
}

type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// closing is a connection that another goroutine closes.
type closing struct {
	net.Conn

	closed atomic.Bool
}

func (c *closing) Close() error {
	c.closed.Store(true)

	return nil
}

// A connection on which nothing moves does not take the reset of a stream either.
func TestStuckConnectionIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		responses, conns := connection.NewResponses(mega), connection.New(config.Server{}, nil)
		c, stuck := &closing{}, newReader(0)
		stuck.stuck = true

		ended := answer(conns.Context(t.Context(), c), responses, stuck, 2*mega)

		time.Sleep(1200 * time.Millisecond)
		synctest.Wait()

		if c.closed.Load() {
			t.Error("closed at once")
		}

		time.Sleep(100 * time.Millisecond)
		synctest.Wait()

		if !c.closed.Load() {
			t.Error("not closed after a second")
		}

		close(stuck.deadline) // As the server does when the connection is gone.

		if end := <-ended; end.err == nil {
			t.Error("the answer went out")
		}
	})
}
