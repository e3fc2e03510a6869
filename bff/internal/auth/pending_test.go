package auth

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAwaitingKeysEndsWithTheGrace(t *testing.T) {
	t.Parallel()

	set := oneKey(t)

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()

		var log strings.Builder

		one, two := newKeySource(nil, 0, nil), newKeySource(nil, 0, nil)
		pending := pendingKeys{issuers: []*issuer{{name: "one", keys: one}, {name: "two", keys: two}}}

		go pending.run(ctx, 30*time.Second, slog.New(slog.NewTextHandler(&log, nil)))

		for _, step := range []struct {
			pause time.Duration
			do    func()
			want  []string
		}{
			{0, nil, []string{"one", "two"}},
			{10 * time.Second, func() { one.replace(set) }, []string{"two"}},
			{19 * time.Second, nil, []string{"two"}},
			{2 * time.Second, nil, nil},
			{24 * time.Hour, nil, nil},
		} {
			time.Sleep(step.pause)
			synctest.Wait()

			if step.do != nil {
				step.do()
			}

			if got := pending.names(); !slices.Equal(got, step.want) {
				t.Errorf("after another %s: %q, want %q", step.pause, got, step.want)
			}
		}

		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "issuers=[two]") {
			t.Errorf("logged %s", got)
		}
	})
}
