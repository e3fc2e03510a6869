package gomodule_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/tool/gomodule"
)

func TestPath(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"module example.com/mine\n\ngo 1.26\n": "example.com/mine",
		// Once, a file from Windows was one without a module.
		"// Ours.\r\nmodule example.com/mine\r\n\r\ngo 1.26\r\n": "example.com/mine",
		"module \"example.com/mine\" // Ours.\n":                 "example.com/mine",
		"go 1.26\n":                                              "",
		"":                                                       "",
	} {
		if got := gomodule.Path([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	// The folder need not be there yet.
	for folder, want := range map[string]string{"": ".", "bff/composite": "bff/composite"} {
		module, inside, err := gomodule.Find(filepath.Join(dir, folder))
		if err != nil || module != "example.com/mine" || inside != want {
			t.Errorf("%q: %q, %q, %v", folder, module, inside, err)
		}
	}
}
