package observe_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/observe"
)

// pieces counts what is written to it.
type pieces struct {
	mu  sync.Mutex
	all []string
}

func (p *pieces) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.all = append(p.all, string(b))

	return len(b), nil
}

func (p *pieces) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()

	all := p.all
	p.all = nil

	return all
}

func TestLinesWait(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var out pieces

		logger, err := observe.NewLogger(observe.NewLines(&out), "info", "text")
		if err != nil {
			t.Fatal(err)
		}

		for range 3 {
			logger.Info("one")
		}

		time.Sleep(99 * time.Millisecond)

		if got := out.take(); got != nil {
			t.Errorf("too early: %q", got)
		}

		time.Sleep(2 * time.Millisecond)

		if got := out.take(); len(got) != 1 || strings.Count(got[0], "one") != 3 {
			t.Errorf("got %q", got)
		}

		// The next line waits anew.
		logger.Info("two")
		time.Sleep(101 * time.Millisecond)

		if got := out.take(); len(got) != 1 {
			t.Errorf("got %q", got)
		}
	})
}

func TestTroubleDoesNotWait(t *testing.T) {
	t.Parallel()

	var out pieces

	logger, err := observe.NewLogger(observe.NewLines(&out), "info", "json")
	if err != nil {
		t.Fatal(err)
	}

	logger.Info("before")
	logger.With("a", 1).WithGroup("b").Warn("trouble", "c", 2)

	if got := strings.Join(out.take(), ""); strings.Count(got, "\n") != 2 || !strings.Contains(got, `"a":1,"b":{"c":2}`) {
		t.Errorf("got %q", got)
	}
}

func TestMuchDoesNotWait(t *testing.T) {
	t.Parallel()

	var out pieces

	lines := observe.NewLines(&out)
	for range 100 {
		_, _ = lines.Write(make([]byte, 1<<10))
	}

	if got := len(strings.Join(out.take(), "")); got < 64<<10 {
		t.Errorf("%d bytes of %d", got, 100<<10)
	}

	lines.Flush()

	if got := len(strings.Join(out.take(), "")); got == 0 {
		t.Error("the rest was not flushed")
	}
}
