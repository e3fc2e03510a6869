package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
)

// progress is a line of a terminal that says what is being done. Nil says nothing. It is safe for concurrent use.
type progress struct {
	mu       sync.Mutex
	terminal io.Writer
	// end is when all is expected to be done. Zero: it is not known.
	end time.Time
	// shown reports that the line is not empty.
	shown bool
}

// newProgress returns nil if the file is no terminal that can erase a line.
func newProgress(file *os.File) *progress {
	if !isatty.IsTerminal(file.Fd()) || os.Getenv("TERM") == "dumb" {
		return nil
	}

	return &progress{terminal: file}
}

// expect says how long all takes.
func (p *progress) expect(length time.Duration) {
	if p == nil {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	p.end = time.Now().Add(length)
}

// sayf replaces the line.
func (p *progress) sayf(format string, args ...any) {
	if p == nil {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	text := fmt.Sprintf(format, args...)
	if left := time.Until(p.end).Round(time.Second); left > 0 {
		text += fmt.Sprintf(", about %s left", left)
	}

	_, _ = fmt.Fprint(p.terminal, eraseLine, text)
	p.shown = true
}

// clear empties the line.
func (p *progress) clear() {
	if p == nil {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	if p.shown {
		_, _ = fmt.Fprint(p.terminal, eraseLine)
		p.shown = false
	}
}

// eraseLine goes to the beginning of the line and erases it (ECMA-48, section 8.3.41).
const eraseLine = "\r\x1b[K"

// above returns a writer whose text replaces the line.
func (p *progress) above(w io.Writer) io.Writer {
	if p == nil {
		return w
	}

	return writerFunc(func(text []byte) (int, error) {
		p.clear()

		return w.Write(text)
	})
}

type writerFunc func([]byte) (int, error)

// Write implements io.Writer.
func (f writerFunc) Write(text []byte) (int, error) { return f(text) }
