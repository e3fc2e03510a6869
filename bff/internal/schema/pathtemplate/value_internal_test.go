package pathtemplate

import "testing"

// What is plain must be what the thorough look finds nothing wrong with.
func FuzzValueFault(f *testing.F) {
	for _, value := range []string{"", "ada", "a-b_C9", "a/b", "..", "a/../b", "%2e%2e", "%25", "a\\b", "\x00", "\xff", "é", "100%"} {
		f.Add(value)
	}

	f.Fuzz(func(t *testing.T, value string) {
		if isPlain(value) && value != "" && textFault(value) != "" {
			t.Errorf("%q is plain, but %s", value, textFault(value))
		}
	})
}
