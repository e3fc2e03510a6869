// Package gomodule finds the Go module that a folder is in. It reads no more of go.mod than the path of the module.
package gomodule

import (
	"os"
	"path/filepath"
	"regexp"
)

// line is the module directive (https://go.dev/ref/mod#go-mod-file-module).
var line = regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)`)

// Path returns the path of the module whose go.mod this is. Empty: it names none.
func Path(goMod []byte) string {
	if found := line.FindSubmatch(goMod); found != nil {
		return string(found[1])
	}

	return ""
}

// Find finds the module that a folder is in: its path, and that of the folder in it, with slashes. Both are empty if there is none.
func Find(dir string) (module, inside string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", "", err
	}

	for parent := dir; ; parent = filepath.Dir(parent) {
		data, err := os.ReadFile(filepath.Join(parent, "go.mod")) //nolint:gosec // It is only looked at.
		if err == nil {
			inside, err = filepath.Rel(parent, dir)
			if module = Path(data); module != "" && err == nil {
				return module, filepath.ToSlash(inside), nil
			}

			return "", "", err
		}

		if parent == filepath.Dir(parent) {
			return "", "", nil
		}
	}
}
