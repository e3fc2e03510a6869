package hint_test

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

func TestNearest(t *testing.T) {
	t.Parallel()

	known := []string{"pageSize", "pageToken", "status", "userId"}

	for name, want := range map[string]string{
		"pagesize":                "pageSize",
		"page_size":               "pageSize",
		"pageSiez":                "pageSize",
		"page_siz":                "pageSize",
		"stauts":                  "status",
		"state":                   "",
		"user":                    "",
		"usrId":                   "userId",
		"colour":                  "",
		"":                        "",
		"x":                       "",
		strings.Repeat("a", 1000): "",
	} {
		if got, ok := hint.Nearest(name, known); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}

	if got := hint.DidYouMean("stauts", known); got != `; did you mean "status"?` {
		t.Errorf("got %q", got)
	}
}
