package main

import "testing"

func TestMemoryIsReturnedAfterTheStartAndBursts(t *testing.T) {
	t.Parallel()

	const mega, quarter = 1 << 20, 1 << 18

	var w memoryWatch

	for _, step := range []struct {
		what              string
		mapped, allocated uint64
		worthwhile        bool
		left              uint64
	}{
		{"start", 20 * mega, 5 * quarter, false, 0},
		{"started", 21 * mega, 6 * quarter, true, 12 * mega},
		{"burst", 400 * mega, 700 * quarter, false, 0},
		{"still_busy", 400 * mega, 703 * quarter, false, 0},
		{"over", 400 * mega, 704 * quarter, true, 60 * mega},
		{"quiet", 61 * mega, 705 * quarter, false, 0},
		{"a_little_more", 75 * mega, 706 * quarter, false, 0},
		{"again", 76 * mega, 707 * quarter, true, 20 * mega},
		{"less_than_is_worth_it", 28 * mega, 708 * quarter, false, 0},
		{"but_this_is", 29 * mega, 709 * quarter, true, 28 * mega},
		// It is in use.
		{"no_more_than_that", 29 * mega, 710 * quarter, false, 0},
		{"less_by_itself", 20 * mega, 711 * quarter, false, 0},
		{"and_again", 29 * mega, 712 * quarter, true, 20 * mega},
	} {
		if got := w.worthwhile(memoryUse{step.mapped, step.allocated}); got != step.worthwhile {
			t.Errorf("%s: %t", step.what, got)
		}

		if step.left > 0 {
			w.returned(memoryUse{step.left, step.allocated})
		}
	}
}
