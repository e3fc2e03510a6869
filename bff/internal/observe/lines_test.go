package observe_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/observe"
)

// sink is a writer that can be stuck, or fail.
type sink struct {
	mu     sync.Mutex
	writes []string
	// takes is how many bytes it takes before it fails. Negative: it does not fail.
	takes int
	// stuck, if not nil, is what each write waits for.
	stuck chan struct{}
}

func newSink() *sink { return &sink{takes: -1} }

var errSink = errors.New("no space left on device")

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	stuck := s.stuck
	s.mu.Unlock()

	if stuck != nil {
		<-stuck
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	if s.takes >= 0 && len(p) > s.takes {
		p = p[:s.takes]
	}

	s.writes = append(s.writes, string(p))

	if s.takes >= 0 {
		s.takes -= len(p)
		if s.takes == 0 {
			return len(p), errSink
		}
	}

	return len(p), nil
}

func (s *sink) set(takes int, stuck chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.takes, s.stuck = takes, stuck
}

// take returns what was written since the last time.
func (s *sink) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	writes := s.writes
	s.writes = nil

	return writes
}

func openLog(tb testing.TB, s *sink, format string) *observe.Log {
	tb.Helper()

	log, err := observe.OpenLog(s, config.Log{Level: "info", Format: format})
	if err != nil {
		tb.Fatal(err)
	}

	return log
}

func TestLinesWaitForOthers(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		out := newSink()

		log := openLog(t, out, "text")
		defer log.Close()

		for range 2 {
			for range 3 {
				log.Info("one")
			}

			time.Sleep(99 * time.Millisecond)

			if got := out.take(); got != nil {
				t.Errorf("too early: %q", got)
			}

			time.Sleep(2 * time.Millisecond)

			if got := out.take(); len(got) != 1 || strings.Count(got[0], "one") != 3 {
				t.Errorf("got %q", got)
			}
		}
	})
}

func TestWarningsAreWrittenAtOnce(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		out := newSink()

		log := openLog(t, out, "json")
		defer log.Close()

		log.Info("before")
		log.With("a", 1).WithGroup("b").Warn("trouble", "c", 2)
		synctest.Wait()

		if got := strings.Join(out.take(), ""); strings.Count(got, "\n") != 2 || !strings.Contains(got, `"a":1,"b":{"c":2}`) {
			t.Errorf("got %q", got)
		}
	})
}

func TestFullBatchIsWrittenAtOnce(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		out := newSink()

		lines := observe.NewLines(out, nil)
		defer lines.Close()

		for range 64 {
			fmt.Fprintln(lines, strings.Repeat("x", 1<<10))
		}

		synctest.Wait()

		if got := len(strings.Join(out.take(), "")); got < 64<<10 {
			t.Errorf("%d bytes", got)
		}
	})
}

// Once, a request that logged waited for the reader of the log.
func TestStuckWriterHoldsNobodyUp(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		out, stuck := newSink(), make(chan struct{})
		out.set(-1, stuck)

		log := openLog(t, out, "json")
		defer log.Close()

		const many = 20_000

		start := time.Now()
		for range many {
			log.Info("request", "path", strings.Repeat("p", 100))
		}

		dropped := log.Dropped()
		if dropped == 0 || dropped > many*9/10 || time.Since(start) != 0 {
			t.Fatalf("%d of %d lines dropped, in %s", dropped, many, time.Since(start))
		}

		// There is room for what matters more.
		log.Error("trouble")

		if got := log.Dropped(); got != dropped {
			t.Errorf("%d dropped, then %d: the error as well", dropped, got)
		}

		out.set(-1, nil)
		close(stuck)
		synctest.Wait()

		got := strings.Split(strings.TrimSpace(strings.Join(out.take(), "")), "\n")
		requests := got[:len(got)-2]

		if len(requests) != many-int(dropped) {
			t.Errorf("%d lines written, %d of %d dropped", len(requests), dropped, many)
		}

		for _, line := range requests {
			if !strings.HasPrefix(line, `{"time"`) || !strings.HasSuffix(line, `p"}`) {
				t.Fatalf("not a whole line: %s", line)
			}
		}

		if !strings.Contains(got[len(got)-2], "trouble") || !strings.Contains(got[len(got)-1], fmt.Sprintf(`"level":"WARN","msg":"log lines were dropped because they were not read in time","lines":%d}`, dropped)) {
			t.Errorf("the end is %q", got[len(got)-2:])
		}

		log.Info("later")
		time.Sleep(time.Second)

		if got := out.take(); len(got) != 1 || !strings.Contains(got[0], "later") {
			t.Errorf("told again: %q", got)
		}
	})
}

func TestWarningsAreBoundedToo(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		out, stuck := newSink(), make(chan struct{})
		out.set(-1, stuck)

		log := openLog(t, out, "json")

		for range 20_000 {
			log.Warn("trouble", "cause", strings.Repeat("c", 100))
		}

		if log.Dropped() == 0 {
			t.Error("nothing was dropped")
		}

		close(stuck)
		log.Close()
	})
}

// A writer that fails (EPIPE, ENOSPC) is tried again with what comes later.
func TestFailedWriteIsCountedAndTheNextOneTried(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		out := newSink()

		lines := observe.NewLines(out, func(n uint64) []byte { return fmt.Appendf(nil, "dropped %d\n", n) })
		defer lines.Close()

		for _, row := range []struct {
			takes   int
			text    string
			want    string
			dropped uint64
		}{
			{0, "one\ntwo\n", "", 2},
			{0, "three\n", "", 3},
			// A line that is cut off is finished later.
			{6, "four\nfive\nsix\n", "four\nf", 4},
			{2, "seven\n", "iv", 5},
			{-1, "eight\n", "e\neight\ndropped 5\n", 5},
			{-1, "nine\n", "nine\n", 5},
		} {
			out.set(row.takes, nil)
			fmt.Fprint(lines.Urgent(), row.text)
			synctest.Wait()

			if got := strings.Join(out.take(), ""); got != row.want || lines.Dropped() != row.dropped {
				t.Errorf("%q: wrote %q, want %q; %d dropped, want %d", row.text, got, row.want, lines.Dropped(), row.dropped)
			}
		}
	})
}

func TestCloseWritesWhatIsHeldAndDropsTheRest(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		out := newSink()
		log := openLog(t, out, "text")

		log.Info("last")
		log.Close()
		log.Close()

		if got := out.take(); len(got) != 1 || !strings.Contains(got[0], "last") {
			t.Errorf("got %q", got)
		}

		log.Error("too late")
		time.Sleep(time.Second)

		if got := out.take(); got != nil || log.Dropped() != 1 {
			t.Errorf("got %q, %d dropped", got, log.Dropped())
		}
	})
}

func TestCloseDoesNotWaitForAStuckWriter(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		out, stuck := newSink(), make(chan struct{})
		out.set(-1, stuck)

		log := openLog(t, out, "text")
		log.Info("stuck")

		start := time.Now()

		log.Close()

		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s", took)
		}

		close(stuck)
	})
}

func TestDroppedLinesAreAMetric(t *testing.T) {
	t.Parallel()

	m := observe.NewMetrics(config.Metrics{})
	m.WatchLog(func() uint64 { return 7 })

	if got := scrape(t, m, "portico_log_lines_dropped_total"); len(got) != 1 || got[0] != "portico_log_lines_dropped_total 7" {
		t.Errorf("got %q", got)
	}
}

// BenchmarkLines is what a line costs the request that it is of.
func BenchmarkLines(b *testing.B) {
	lines := observe.NewLines(io.Discard, nil)
	defer lines.Close()

	line := []byte(strings.Repeat("x", 300) + "\n")

	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = lines.Write(line)
		}
	})
}
