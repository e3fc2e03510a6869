package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
)

const (
	redrawInterval = 250 * time.Millisecond
	// progressWidth fits in a terminal: a line that wraps could not be rewritten.
	progressWidth = 79
	// clearLine goes to the beginning of the line and erases it (ECMA-48, EL).
	clearLine = "\r\x1b[K"
)

// progress is a line of a terminal, which is rewritten: what is being done, for how long, and what details tells. It is safe for
// concurrent use. The nil progress shows nothing.
type progress struct {
	out io.Writer

	mu      sync.Mutex
	doing   string
	since   time.Time
	details func() string

	ended    chan struct{}
	redrawer sync.WaitGroup
}

// newProgress returns nil if the writer is not a terminal.
func newProgress(out io.Writer) *progress {
	file, ok := out.(*os.File)
	if !ok || !isatty.IsTerminal(file.Fd()) {
		return nil
	}

	return startProgress(out)
}

func startProgress(out io.Writer) *progress {
	p := &progress{out: out, since: time.Now(), ended: make(chan struct{})}
	p.redrawer.Go(func() {
		ticker := time.NewTicker(redrawInterval)
		defer ticker.Stop()

		for {
			select {
			case <-p.ended:
				return
			case <-ticker.C:
				p.draw()
			}
		}
	})

	return p
}

// showf sets what is being done.
func (p *progress) showf(format string, args ...any) {
	if p == nil {
		return
	}

	p.mu.Lock()
	p.doing, p.since = fmt.Sprintf(format, args...), time.Now()
	p.mu.Unlock()

	p.draw()
}

// with sets the details.
func (p *progress) with(details func() string) {
	if p == nil {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	p.details = details
}

func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()

	text := fmt.Sprintf("%s, %.0f s", p.doing, time.Since(p.since).Seconds())
	if p.details != nil {
		text += p.details()
	}

	if runes := []rune(text); len(runes) > progressWidth {
		text = string(runes[:progressWidth])
	}

	_, _ = io.WriteString(p.out, clearLine+text) // Nothing depends on it.
}

// end removes the line.
func (p *progress) end() {
	if p == nil {
		return
	}

	close(p.ended)
	p.redrawer.Wait()

	_, _ = io.WriteString(p.out, clearLine) // As above.
}
