package command_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// copyRepository copies what git knows or would add: the sources, and nothing that was built.
func copyRepository(t *testing.T) string {
	t.Helper()

	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root

	files, err := list.Output()
	if err != nil {
		t.Fatalf("not a git checkout: %v", err)
	}

	dir := t.TempDir()

	for path := range bytes.SplitSeq(bytes.TrimRight(files, "\x00"), []byte{0}) {
		copyFile(t, filepath.Join(root, string(path)), filepath.Join(dir, string(path)))
	}

	// What generates TypeScript is downloaded where it is not there.
	packages, err := filepath.Abs(filepath.Join(root, "web/node_modules"))
	if err != nil {
		t.Fatal(err)
	}

	if _, err := os.Stat(packages); err == nil {
		if err := os.Symlink(packages, filepath.Join(dir, "web/node_modules")); err != nil {
			t.Fatal(err)
		}
	}

	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()

	source, err := os.Open(from)
	if os.IsNotExist(err) {
		return // Deleted, and not committed yet.
	}

	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()

	info, err := source.Stat()
	if err != nil {
		t.Fatal(err)
	}

	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		t.Fatal(err)
	}

	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		t.Fatal(err)
	}

	if _, err := io.Copy(target, source); err != nil {
		t.Fatal(err)
	}

	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
}
