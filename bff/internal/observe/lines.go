package observe

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"time"
)

// Lines writes lines to another writer in the background, many at a time: a system call for each would cost a request more than
// its policies do. Writing to it never waits: while the other writer is slow, a bounded amount is buffered, and further lines are
// dropped and counted. It is safe for concurrent use and must be closed.
type Lines struct {
	w io.Writer
	// notice makes a line that says how many were dropped.
	notice func(dropped uint64) []byte

	wake, closing, done chan struct{}
	delay               *time.Timer
	closeOnce           sync.Once
	// leftover is the rest of a line that was cut off. Only the background goroutine uses it.
	leftover []byte

	mu      sync.Mutex
	pending []byte
	// spare is the next buffer.
	spare []byte
	// writing is how many bytes the background goroutine is writing.
	writing int
	closed  bool
	dropped uint64
	// unreported is how many were dropped since the last notice.
	unreported uint64
}

const (
	// lineDelay is how long a line may wait for others.
	lineDelay = 100 * time.Millisecond
	// fullBatch is how many bytes are written at once: the capacity of a pipe.
	fullBatch = 64 << 10
	// maxPending is how many bytes are buffered for a slow writer: some 3000 access lines.
	maxPending = 1 << 20
	// urgentReserve is how many more may be buffered for warnings and errors, so that access lines do not crowd them out.
	urgentReserve = 256 << 10
	// closeTimeout bounds how long Close waits for a slow writer.
	closeTimeout = time.Second
)

// NewLines returns Lines in front of w. After lines were dropped, w gets the notice as soon as it accepts some again. Nil: none.
func NewLines(w io.Writer, notice func(dropped uint64) []byte) *Lines {
	l := &Lines{
		w: w, notice: notice, wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	l.delay = time.AfterFunc(lineDelay, l.wakeUp)

	go l.run()

	return l
}

// Write accepts one or more complete lines. It never fails, and never waits for the other writer.
func (l *Lines) Write(p []byte) (int, error) { return l.add(p, maxPending, false) }

// Urgent returns a writer of lines that do not wait for more. It does not wait for the other writer either.
func (l *Lines) Urgent() io.Writer { return urgentLines{l} }

type urgentLines struct{ *Lines }

func (u urgentLines) Write(p []byte) (int, error) { return u.add(p, maxPending+urgentReserve, true) }

// Dropped returns how many lines were lost, because the other writer was too slow or failed, or came after Close.
func (l *Lines) Dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.dropped
}

// Close writes what is buffered, for up to a second. If the other writer needs longer, the rest is lost.
func (l *Lines) Close() {
	l.closeOnce.Do(func() {
		l.mu.Lock()
		defer l.mu.Unlock()

		l.closed = true
		l.delay.Stop()
		close(l.closing)
	})

	late := time.NewTimer(closeTimeout)
	defer late.Stop()

	select {
	case <-l.done:
	case <-late.C:
	}
}

func (l *Lines) add(p []byte, limit int, urgent bool) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if l.closed || len(l.pending)+l.writing+len(p) > limit {
		l.drop(countLines(p))
		return len(p), nil
	}

	if len(l.pending) == 0 {
		l.delay.Reset(lineDelay)
	}

	l.pending = append(l.pending, p...)

	if urgent || len(l.pending) >= fullBatch {
		l.wakeUp()
	}

	return len(p), nil
}

func (l *Lines) drop(lines uint64) {
	l.dropped += lines
	if l.notice != nil {
		l.unreported += lines
	}
}

func (l *Lines) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *Lines) run() {
	defer close(l.done)

	for {
		select {
		case <-l.wake:
			l.writePending()
		case <-l.closing:
			l.writePending()
			return
		}
	}
}

// writePending writes until nothing is left or the writer fails. What a failing writer does not accept is lost, so that it does not
// hold up later lines; the next batch is a new attempt.
func (l *Lines) writePending() {
	for {
		batch, dropped := l.nextBatch()
		if len(batch) == 0 && dropped == 0 {
			return
		}

		lost, ok := l.write(batch)
		if ok && dropped > 0 {
			_, ok = l.write(l.notice(dropped))
		}

		reported := dropped
		if !ok {
			reported = 0
		}

		l.finishBatch(batch, lost, reported)

		if !ok {
			return
		}
	}
}

// nextBatch returns what is buffered, and how many lines were dropped since the last notice, which came after those.
func (l *Lines) nextBatch() (batch []byte, dropped uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()

	batch, l.pending, l.spare = l.pending, l.spare, nil
	l.writing = len(batch)

	return batch, l.unreported
}

// finishBatch counts what was lost and reported, and reuses the buffer.
func (l *Lines) finishBatch(batch []byte, lost, reported uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.writing = 0
	l.unreported -= reported
	l.drop(lost)

	// A buffer that grew in a burst is not reused.
	if cap(batch) <= 2*fullBatch {
		l.spare = batch[:0]
	}
}

// write returns how many lines were lost, and whether the writer accepted everything. The rest of a line that was cut off is
// written the next time.
func (l *Lines) write(lines []byte) (lost uint64, ok bool) {
	if len(l.leftover) > 0 {
		n, err := l.w.Write(l.leftover)
		l.leftover = l.leftover[n:]

		if err != nil {
			return countLines(lines), false
		}
	}

	n, err := l.w.Write(lines)
	if err == nil {
		return 0, true
	}

	if n > 0 && lines[n-1] != '\n' {
		head, _, _ := bytes.Cut(lines[n:], []byte("\n"))
		end := min(n+len(head)+1, len(lines))
		l.leftover = slices.Clone(lines[n:end])
		n = end
	}

	return countLines(lines[n:]), false
}

func countLines(p []byte) uint64 { return uint64(bytes.Count(p, []byte("\n"))) }
