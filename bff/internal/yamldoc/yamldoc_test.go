package yamldoc_test

import (
	"errors"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/portico-gateway/portico/bff/internal/yamldoc"
)

func TestDecode(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct{ text, want string }{
		"one":                   {"a: 1\n", ""},
		"empty":                 {"", ""},
		"comment":               {"# a\n", ""},
		"marked":                {"---\na: 1\n...\n# end\n", ""},
		"two":                   {"a: 1\n---\na: 2\n", "line 2: a second YAML document"},
		"two_behind_an_end":     {"a: 1\n...\n# c\n---\na: 2\n", "line 4: a second YAML document"},
		"two_the_first_empty":   {"---\n---\na: 2\n", "line 2: a second YAML document"},
		"two_the_second_empty":  {"a: 1\n---\n", "line 2: a second YAML document"},
		"two_the_second_broken": {"a: 1\n---\na: [\n", "line 3: a second YAML document"},
		"unknown":               {"a: 1\nb: 2\n", "line 2: field b not found"},
		"broken":                {"a: [\n", "yaml: line"},
	} {
		var into struct {
			A int `yaml:"a"`
		}

		if err := yamldoc.Decode([]byte(row.text), &into, true); (err == nil) != (row.want == "") ||
			err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}

	// Faults of the first document are named as well.
	var typed *yaml.TypeError

	err := yamldoc.Decode([]byte("a: x\n---\na: 2\n"), &struct{ A int }{}, true)
	if !errors.As(err, &typed) || !strings.Contains(err.Error(), "line 2: a second") {
		t.Error(err)
	}
}
