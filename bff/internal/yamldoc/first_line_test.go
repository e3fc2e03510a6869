package yamldoc_test

import (
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/portico-gateway/portico/bff/internal/yamldoc"
)

// The decoder names no line for what is wrong with the first one.
func TestSyntaxOfTheFirstLine(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"\tx: [\n": "the indentation has a tab: YAML takes spaces alone",
		"@x: 1\n":  "found character that cannot start any token",
	} {
		var into any

		line, reason := yamldoc.SyntaxReason([]byte(text), yaml.Unmarshal([]byte(text), &into))
		if line != 1 || reason != want {
			t.Errorf("%q: got line %d, %q", text, line, reason)
		}
	}
}
