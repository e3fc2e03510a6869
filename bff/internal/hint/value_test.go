package hint_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// Messages say what is wanted, without the words of Go's own packages.
func TestFault(t *testing.T) {
	t.Parallel()

	const duration = `a duration, such as 500ms, 4s or 1h30m`

	for _, row := range []struct {
		like any
		text string
		want string // Empty: it fits.
	}{
		{time.Duration(0), "4s", ""},
		{time.Duration(0), "4", `"4" is not ` + duration + `; write 4s for seconds`},
		{time.Duration(0), "0s", ""},
		{time.Duration(0), "0", `"0" is not ` + duration + `; write 0s for seconds`},
		{time.Duration(0), "2d", `"2d" is not ` + duration + `; a day is 24h`},
		{time.Duration(0), "soon", `"soon" is not ` + duration},
		{time.Duration(0), "", `"" is not ` + duration},
		{0, "-12", ""},
		{0, "x", `"x" is not a whole number`},
		{0, "1.5", `"1.5" is not a whole number`},
		{int32(0), "3000000000", `"3000000000" is not a whole number in range`},
		{uint32(0), "7", ""},
		{uint32(0), "-7", `"-7" is not a whole number of at least 0`},
		{false, "true", ""},
		{false, "yes", `"yes" is not true or false`},
		{0.5, "0.25", ""},
		{0.5, "half", `"half" is not a number`},
		{"", "anything", ""},
	} {
		kind := reflect.TypeOf(row.like)
		if got := hint.IsValue(kind, row.text); got != (row.want == "") {
			t.Errorf("%s %q fits: %v", kind, row.text, got)
		}

		if row.want == "" {
			continue
		}

		if got := hint.ValueError(kind, row.text).Error(); got != row.want {
			t.Errorf("%s %q:\ngot  %s\nwant %s", kind, row.text, got, row.want)
		}
	}
}
