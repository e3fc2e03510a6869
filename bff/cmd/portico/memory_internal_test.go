package main

import "testing"

func TestMemoryIsReturnedAfterABurst(t *testing.T) {
	t.Parallel()

	const mega = 1 << 20

	var w memoryWatch

	for _, step := range []struct {
		what              string
		mapped, allocated uint64
		worthwhile        bool
		left              uint64
	}{
		{"start", 20 * mega, 5 * mega, false, 0},
		{"burst", 400 * mega, 700 * mega, false, 0},
		{"still_busy", 400 * mega, 800 * mega, false, 0},
		{"over", 400 * mega, 801 * mega, true, 30 * mega},
		{"quiet", 31 * mega, 802 * mega, false, 0},
		{"a_little_more", 60 * mega, 803 * mega, false, 0},
		{"again", 70 * mega, 804 * mega, true, 65 * mega},
		// It is in use.
		{"no_more_than_that", 66 * mega, 805 * mega, false, 0},
		{"less_by_itself", 30 * mega, 806 * mega, false, 0},
		{"and_again", 70 * mega, 807 * mega, true, 30 * mega},
	} {
		if got := w.worthwhile(memoryUse{step.mapped, step.allocated}); got != step.worthwhile {
			t.Errorf("%s: %t", step.what, got)
		}

		if step.left > 0 {
			w.returned(memoryUse{step.left, step.allocated})
		}
	}
}
