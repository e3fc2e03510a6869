package page_test

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/page"
)

func TestTokenLeadsBack(t *testing.T) {
	t.Parallel()

	want := page.Position{Time: 1_772_000_000_000_000, ID: "ord_1"}
	token := page.Token(want, "orders", "alice")

	if got, err := page.Read(token, page.Newest(), "orders", "alice"); got != want || err != nil {
		t.Errorf("read %v, %v", got, err)
	}

	if strings.ContainsAny(token, "+/=") {
		t.Errorf("%q does not fit a URL", token)
	}

	if got, err := page.Read("", page.Newest(), "orders", "alice"); got != page.Newest() || err != nil {
		t.Errorf("no token leads to %v, %v", got, err)
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
		_, err := page.Read(token, page.Oldest(), "orders", "alice")
		if fault.Status(err).Code() != codes.InvalidArgument {
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

	for asked, want := range map[int32]int{0: 20, 1: 1, 100: 100, 101: 100, math.MaxInt32: 100} {
		if got := page.Size(asked, 20, 100); got != want {
			t.Errorf("size for %d is %d", asked, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(page.Token(page.Position{Time: 1, ID: "a"}, "users"))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		after, err := page.Read(token, page.Oldest(), "users")
		if token != "" && err == nil && page.Token(after, "users") != token {
			t.Errorf("%q is read as %v, whose token differs", token, after)
		}
	})
}
