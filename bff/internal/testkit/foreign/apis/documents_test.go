package apis_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/conformance"
	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

// documents are the descriptions that protoc-gen-portico made, with examples.
func documents(t *testing.T) []string {
	t.Helper()

	names, err := filepath.Glob("gen/openapi/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("there are no documents: run `go run ./generate` (%v)", err)
	}

	return names
}

// Two validators of other people find no error in any document.
func TestDocumentsAreValid(t *testing.T) {
	t.Parallel()

	for name, args := range map[string][]string{
		"redocly":  {"lint", "--config=redocly.yaml", "--format=stylish"},
		"spectral": {"lint", "--ruleset=spectral.yaml", "--quiet", "--fail-severity=error", "--display-only-failures", "--format=text"},
	} {
		program := programs.Program(t, "npm --prefix web ci", filepath.Join("../../../../../web/node_modules/.bin", name))

		t.Run(name, func(t *testing.T) {
			t.Parallel()

			cmd := exec.CommandContext(t.Context(), program, append(args, documents(t)...)...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestExamplesAreWhatTheirSchemasSay(t *testing.T) {
	t.Parallel()

	for _, name := range documents(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()

			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}

			var tally conformance.Tally

			checker, err := tally.Load(text)
			if err != nil {
				t.Fatal(err)
			}

			count, err := checker.CheckExamples()
			if err != nil {
				t.Error(err)
			}

			if count == 0 {
				t.Error("there are no examples")
			}
		})
	}
}
