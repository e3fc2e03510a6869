package page_test

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/page"
)

func TestTokenLeadsBack(t *testing.T) {
	t.Parallel()

	want := page.Position{Time: 1_772_000_000_000_000, ID: "ord_1"}
	token := page.Token(want, "orders", "alice")

	var v fault.Violations

	if got := page.Read(&v, token, page.Newest(), "orders", "alice"); got != want || v.Err() != nil {
		t.Errorf("read %v, %v", got, v.Err())
	}

	if strings.ContainsAny(token, "+/=") {
		t.Errorf("%q does not fit a URL", token)
	}

	if got := page.Read(&v, "", page.Newest(), "orders", "alice"); got != page.Newest() || v.Err() != nil {
		t.Errorf("no token leads to %v, %v", got, v.Err())
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()

	token := page.Token(page.Position{Time: 5, ID: "ord_1"}, "orders", "alice")
	tests := map[string]string{
		"another_filter": page.Token(page.Position{Time: 5, ID: "ord_1"}, "orders", "bob"),
		"shifted_filter": page.Token(page.Position{Time: 5, ID: "ord_1"}, "ordersalice", ""),
		"one_bit":        "B" + token[1:],
		"cut":            token[:len(token)-2],
		"line_break":     token[:4] + "\n" + token[4:],
		"not_base64":     "!",
		"too_short":      "AQ",
		"too_long":       strings.Repeat("A", 10_000),
	}

	for name, token := range tests {
		var v fault.Violations
		if page.Read(&v, token, page.Oldest(), "orders", "alice"); v.Err() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()

	at := func(time int64) page.Position { return page.Position{Time: time, ID: "x"} }

	for size, want := range map[int]struct {
		first int
		token string
	}{
		2: {2, page.Token(at(8), "orders")},
		3: {3, ""},
		4: {3, ""},
	} {
		first, token := page.Cut([]int64{9, 8, 7}, size, at, "orders")
		if len(first) != want.first || token != want.token {
			t.Errorf("the first %d are %v, then %q", size, first, token)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()

	for asked, want := range map[int32]int{0: 20, 1: 1, 100: 100} {
		var v fault.Violations
		if got := page.Size(&v, asked, 20, 100); got != want || v.Err() != nil {
			t.Errorf("size for %d is %d, %v", asked, got, v.Err())
		}
	}

	for _, asked := range []int32{-1, 101} {
		var v fault.Violations
		if page.Size(&v, asked, 20, 100); v.Err() == nil {
			t.Errorf("%d was accepted", asked)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(page.Token(page.Position{Time: 1, ID: "a"}, "users"))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		var v fault.Violations

		after := page.Read(&v, token, page.Oldest(), "users")
		if token != "" && v.Err() == nil && page.Token(after, "users") != token {
			t.Errorf("%q is read as %v, whose token differs", token, after)
		}
	})
}
