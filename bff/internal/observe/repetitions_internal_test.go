package observe

import (
	"fmt"
	"testing"
	"time"
)

func TestRepetitions(t *testing.T) {
	t.Parallel()

	var r repetitions

	now := time.Now()

	for i, step := range []struct {
		line    string
		after   time.Duration
		omitted int
		due     bool
	}{
		{"[Channel #1] refused", 0, 0, true},
		{"[Channel #2] refused", time.Second, 0, false},
		{"[Channel #1] reset", 0, 0, true},
		{"[Channel #13] refused", 58 * time.Second, 0, false},
		{"[Channel #1] refused", time.Second, 2, true},
		{"[Channel #1] refused", 59 * time.Second, 0, false},
		{"[Channel #1] refused", time.Second, 1, true},
		{"[Channel #1] refused", time.Hour, 0, true},
	} {
		now = now.Add(step.after)

		if omitted, due := r.count(step.line, now); omitted != step.omitted || due != step.due {
			t.Errorf("step %d: %d, %t", i, omitted, due)
		}
	}
}

func TestRepetitionsAreBounded(t *testing.T) {
	t.Parallel()

	var r repetitions

	for i := range 10 * maxRepetitions {
		line := fmt.Sprintf("%c%c", 'a'+i/26%26, 'a'+i%26)
		r.count(line+fmt.Sprintf("%c", 'a'+i/676), time.Now())
	}

	if len(r.lines) > maxRepetitions {
		t.Errorf("%d are remembered", len(r.lines))
	}
}
