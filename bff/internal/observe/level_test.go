package observe_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/observe"
)

// messages are those of the lines of a log, with their levels.
func messages(text string) string {
	var all []string

	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), " level=")
		all = append(all, rest)
	}

	return strings.Join(all, "\n")
}

// withLevel calls a function with a log from info up, and its level, in virtual time, and returns the messages.
func withLevel(t *testing.T, use func(log *observe.Log, level *observe.Level)) (text string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer

		log, err := observe.OpenLog(&out, config.Log{Level: "info", Format: "text"})
		if err != nil {
			t.Fatal(err)
		}

		// Loggers that are derived from it have the same level.
		use(log, observe.LevelOf(log.With("a", 1)))
		log.Close()

		text = messages(out.String())
	})

	return text
}

func override(t *testing.T, level *observe.Level, name string, during time.Duration) {
	t.Helper()

	if err := level.Override(name, during); err != nil {
		t.Fatal(err)
	}
}

func TestLevelForAWhile(t *testing.T) {
	t.Parallel()

	got := withLevel(t, func(log *observe.Log, level *observe.Level) {
		log.Debug("before")
		override(t, level, "debug", 10*time.Minute)
		log.Debug("during")

		if current, configured, until := level.State(); current != "debug" || configured != "info" || time.Until(until) != 10*time.Minute {
			t.Errorf("%s, %s, %s", current, configured, until)
		}

		time.Sleep(10*time.Minute + 1)
		synctest.Wait()
		log.Debug("after")

		if current, configured, until := level.State(); current != "info" || configured != "info" || !until.IsZero() {
			t.Errorf("after it: %s, %s, %s", current, configured, until)
		}
	})

	const want = `WARN msg="the log level was changed" log_level=debug until=2000-01-01T00:10:00.000Z
DEBUG msg=during
WARN msg="the log level was changed" log_level=info`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestLaterOverrideReplacesTheFirst(t *testing.T) {
	t.Parallel()

	got := withLevel(t, func(log *observe.Log, level *observe.Level) {
		override(t, level, "debug", time.Minute)
		override(t, level, "error", time.Hour)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		log.Warn("hidden")
		level.Reset()
		log.Info("shown")
		level.Reset()
	})

	if strings.Contains(got, "hidden") || !strings.HasSuffix(got, "INFO msg=shown") || strings.Count(got, "log_level=info") != 1 {
		t.Errorf("got\n%s", got)
	}
}

// A reload changes the level that applies later.
func TestConfiguredLevelWaitsForTheOverride(t *testing.T) {
	t.Parallel()

	got := withLevel(t, func(log *observe.Log, level *observe.Level) {
		override(t, level, "debug", time.Minute)

		if err := log.SetLevel("error"); err != nil {
			t.Error(err)
		}

		log.Debug("still_shown")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		log.Warn("hidden")
	})

	if !strings.Contains(got, "still_shown") || strings.Contains(got, "hidden") {
		t.Errorf("got\n%s", got)
	}
}

func TestLevelsThatThereAreNot(t *testing.T) {
	t.Parallel()

	withLevel(t, func(log *observe.Log, level *observe.Level) {
		for _, name := range []string{"", "loud", "info+2", strings.Repeat("x", 1000)} {
			err := level.Override(name, time.Minute)
			if err == nil || log.SetLevel(name) == nil || !strings.Contains(err.Error(), "is not one of debug, info, warn, error") || len(err.Error()) > 200 {
				t.Errorf("%.20s: %v", name, err)
			}
		}
	})
}

func TestOtherLoggersHaveNoLevel(t *testing.T) {
	t.Parallel()

	if level := observe.LevelOf(slog.New(slog.DiscardHandler)); level != nil {
		t.Error("got one")
	}
}
