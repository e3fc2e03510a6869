package httpfield_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

func TestCookie(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		lines []string
		value string
		count int
	}{
		{nil, "", 0},
		{[]string{"a=1"}, "", 0},
		{[]string{"sid=1"}, "1", 1},
		{[]string{"a=1; sid=2 ;b=3"}, "2", 1},
		{[]string{"a=1;\tsid = 2"}, "2", 1},
		{[]string{"sid=1; sid=2"}, "2", 2},
		{[]string{"sid=1", "sid=2"}, "2", 2},
		{[]string{`sid="1"`}, `"1"`, 1},
		{[]string{"sid=a=b"}, "a=b", 1},
		// net/http drops these.
		{[]string{"sid=\x01"}, "\x01", 1},
		{[]string{"sid"}, "", 1},
		{[]string{"SID=1; xsid=1; sid2=1; =sid=1; \u2000sid=1"}, "", 0},
	} {
		if value, count := httpfield.Cookie(tt.lines, "sid"); value != tt.value || count != tt.count {
			t.Errorf("%q: %q, %d of them", tt.lines, value, count)
		}
	}
}
