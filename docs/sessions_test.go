package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

var (
	yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	testName  = regexp.MustCompile("`(Test[A-Z]\\w+)`")
	testFunc  = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
)

// The gateway accepts the configurations on the page about sessions.
func TestConfigurationsOfSessions(t *testing.T) {
	t.Parallel()

	blocks := submatches(yamlBlock, read(t, "sessions.md"))
	if len(blocks) == 0 {
		t.Fatal("there is none")
	}

	for _, block := range blocks {
		path := filepath.Join(t.TempDir(), "portico.yaml")
		if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}

		loaded, err := config.Load(path, nil)
		if err != nil || !loaded.Auth.Sessions.On() {
			t.Errorf("%v\n%s", err, block)
		}
	}
}

// The tests that the threat model names exist.
func TestThreatsOfSessions(t *testing.T) {
	t.Parallel()

	var known []string

	for _, folder := range []string{"e2e/sessions", "internal/auth", "internal/auth/session", "internal/auth/session/provider"} {
		files, err := filepath.Glob("../bff/" + folder + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}

		for _, file := range files {
			known = append(known, submatches(testFunc, read(t, file))...)
		}
	}

	named := submatches(testName, read(t, "sessions.md"))
	if len(named) == 0 {
		t.Fatal("no test is named")
	}

	for _, name := range named {
		if !slices.Contains(known, name) {
			t.Errorf("there is no %s", name)
		}
	}
}
