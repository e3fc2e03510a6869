package balance

import (
	"testing"
	"time"
)

// replies records replies of an address, of which so many of ten are errors.
func replies(w *wrapper, address string, n, errorsOfTen int) {
	for i := range n {
		o := healthy
		// Spread evenly.
		if (i+1)*errorsOfTen/10 > i*errorsOfTen/10 {
			o = failing
		}

		w.recordOutcome(w.members[address], o)
	}
}

func TestOutlier(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		// errors are how many replies of ten are errors, by address.
		errors  map[string]int
		ejected []string
	}{
		{"one_of_two", map[string]int{"a": 10, "b": 0}, []string{"a"}},
		{"one_of_three", map[string]int{"a": 10, "b": 0, "c": 1}, []string{"a"}},
		{"two_of_five", map[string]int{"a": 10, "b": 10, "c": 0, "d": 0, "e": 0}, []string{"a", "b"}},
		{"most", map[string]int{"a": 10, "b": 10, "c": 10, "d": 0, "e": 0}, nil},
		{"alone", map[string]int{"a": 10}, nil},
		{"all", map[string]int{"a": 10, "b": 10, "c": 10}, nil},
		{"all_now_and_then", map[string]int{"a": 5, "b": 5, "c": 5}, nil},
		{"all_but_one_of_three", map[string]int{"a": 10, "b": 10, "c": 0}, nil},
		{"one_more_often_than_others", map[string]int{"a": 10, "b": 5, "c": 5}, nil},
		{"one_now_and_then", map[string]int{"a": 6, "b": 0, "c": 0}, nil},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var names []string
			for name := range tt.errors {
				names = append(names, name)
			}

			w := ready(names...)
			for name, errors := range tt.errors {
				replies(w, name, 100, errors)
			}

			reasons, _ := w.review(time.Now())

			var ejected []string

			for name, m := range w.members {
				if m.ejected() {
					ejected = append(ejected, name)
				}
			}

			if len(ejected) != len(tt.ejected) || len(reasons) != len(ejected) {
				t.Errorf("%q are ejected, because of %v, want %q", ejected, reasons, tt.ejected)
			}

			for _, name := range ejected {
				if tt.errors[name] < 10 {
					t.Errorf("%s is ejected", name)
				}
			}

			for _, reason := range reasons {
				if reason.reason != Outlier {
					t.Errorf("the reason is %v", reason)
				}
			}
		})
	}
}

func TestOutlierTakesManyCalls(t *testing.T) {
	t.Parallel()

	w := ready("a", "b")
	replies(w, "b", 100, 0)
	replies(w, "a", 24, 10)

	if reasons, _ := w.review(time.Now()); len(reasons) != 0 {
		t.Error("ejected after 24 errors")
	}

	replies(w, "a", 6, 10)

	if reasons, _ := w.review(time.Now()); len(reasons) != 1 {
		t.Error("not ejected after 30 errors")
	}
}

// An address without calls says nothing about what is usual.
func TestOutlierNeedsCallsOfOthers(t *testing.T) {
	t.Parallel()

	w := ready("a", "b")
	replies(w, "a", 100, 10)
	replies(w, "b", averageOver-1, 0)

	if reasons, _ := w.review(time.Now()); len(reasons) != 0 {
		t.Error("ejected, although the other is not known well")
	}

	replies(w, "b", 1, 0)

	if reasons, _ := w.review(time.Now()); len(reasons) != 1 {
		t.Error("not ejected")
	}
}

// It is only known again when it has had as many calls.
func TestOutlierThatIsReadmittedBeginsAnew(t *testing.T) {
	t.Parallel()

	w := ready("a", "b")
	now := time.Now()

	replies(w, "b", 100, 0)
	replies(w, "a", 100, 10)
	w.review(now)

	m := w.members["a"]
	if !m.ejected() {
		t.Fatal("not ejected")
	}

	if reasons, _ := w.review(m.until); len(reasons) != 1 || reasons[0].reason != "" || m.ejected() {
		t.Errorf("ejected again at once: %v", reasons)
	}
}

// One caller alone may be the reason there.
func TestNoOutlierWhereCallersKeepToTheirAddresses(t *testing.T) {
	t.Parallel()

	w := ready("a", "b")
	w.sticky = true

	replies(w, "b", 100, 0)
	replies(w, "a", 100, 10)

	if reasons, _ := w.review(time.Now()); len(reasons) != 0 {
		t.Error("ejected")
	}
}

// While all addresses reply with errors, the loop is not woken by every call.
func TestOutliersAreLookedForNowAndThen(t *testing.T) {
	t.Parallel()

	w := ready("a", "b")
	replies(w, "a", 100, 10)
	<-w.kick

	if before := w.reviewed.Load(); before == 0 {
		t.Error("not looked for")
	}

	w.reviewed.Store(time.Now().Add(time.Hour).UnixNano())
	replies(w, "a", 100, 10)

	select {
	case <-w.kick:
		t.Error("woken again at once")
	default:
	}
}
