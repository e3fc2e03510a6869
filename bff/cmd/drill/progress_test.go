package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// screen is what a terminal gets.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.text.Write(p)
}

// line is the one that is to be seen.
func (s *screen) line() string {
	s.mu.Lock()
	defer s.mu.Unlock()

	text := s.text.String()

	return text[strings.LastIndex(text, clearLine)+len(clearLine):]
}

func TestProgressIsOneLineThatIsRewritten(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		terminal := &screen{}
		p := startProgress(terminal)

		p.showf("fault %d of %d", 1, 9)
		p.with(func() string { return ", 17 requests" })

		if got := terminal.line(); got != "fault 1 of 9, 0 s" {
			t.Errorf("it shows %q", got)
		}

		time.Sleep(3 * time.Second)
		synctest.Wait()

		if got := terminal.line(); got != "fault 1 of 9, 3 s, 17 requests" {
			t.Errorf("three seconds later it shows %q", got)
		}

		p.showf("%s", strings.Repeat("é", 200))

		if got := terminal.line(); got != strings.Repeat("é", progressWidth) {
			t.Errorf("a long line is %q", got)
		}

		p.end()

		if got := terminal.line(); got != "" || strings.Contains(terminal.text.String(), "\n") {
			t.Errorf("in the end there is %q", terminal.text.String())
		}
	})
}

func TestProgressIsNotShownWithoutATerminal(t *testing.T) {
	t.Parallel()

	file, err := os.Create(filepath.Join(t.TempDir(), "report"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	for _, out := range []interface{ Write(p []byte) (int, error) }{&bytes.Buffer{}, file} {
		p := newProgress(out)
		p.showf("building")
		p.with(func() string { return "" })
		p.end()

		if p != nil {
			t.Errorf("%T is taken for a terminal", out)
		}
	}
}
