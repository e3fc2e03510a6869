// Package scaffold writes what a new service consists of into a checkout of Portico: its proto with routes and policy, a backend
// over SQLite with tests, its line in the list of backends and its line in the example configuration. A new composite is its proto,
// its implementation and tests; nothing that is there is changed for it.
//
// It runs no generator and overwrites nothing: `make generate` comes after it, and what it wrote belongs to the team from then on.
package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/portico-gateway/portico/bff/internal/tool/gomodule"
)

// Options say what to make.
type Options struct {
	// Dir is the root of the checkout.
	Dir string
	// Name is the name of the service: of its package, its folder, its upstream and the first part of its scope. One word of 3 to
	// 30 lower-case letters.
	Name string
	// Resource is what it keeps, in upper camel case. Default: the name.
	Resource string
	// Plural is the plural of the resource, in lower snake case. Default: by the rules of English.
	Plural string
}

// Plan is everything that is to be written. Making one writes nothing.
type Plan struct {
	// Files are in the order in which a reader wants to see them.
	Files []File
	// Path is where the resource is served, "/v1/items", or the page of a composite, with what it needs in capital letters:
	// "/v1/orderpage/ORDER_ID".
	Path string
	// Folder has the implementation of a composite.
	Folder string
	// Scope is what a token needs for writing, or for the page of a composite: several with commas, or none.
	Scope string

	dir string
}

// File is one file of a plan.
type File struct {
	// Path is relative to the checkout, with slashes.
	Path string
	// Text is all of it.
	Text []byte
	// Changed reports that the file is there and gets a line more. Other files are new.
	Changed bool
}

const (
	definitionsPath = "backends/definitions.go"
	examplePath     = "deploy/portico.example.yaml"
	policyPath      = "proto/portico/v1/policy.proto"
)

var errNoCheckout = errors.New("not the root of a Portico checkout: go there, or name it with --dir")

// Service plans a new service. It fails if a name is not valid or taken, or if the checkout is not as it knows it.
func Service(opts Options) (*Plan, error) {
	n, err := nameAll(opts)
	if err != nil {
		return nil, err
	}

	if err := checkDir(opts.Dir); err != nil {
		return nil, err
	}

	if n.Module, err = module(opts.Dir); err != nil {
		return nil, err
	}

	if err := checkTaken(opts.Dir, n); err != nil {
		return nil, err
	}

	p := &Plan{dir: opts.Dir, Path: n.Path, Scope: n.Scope}
	if p.Files, err = render(n); err != nil {
		return nil, err
	}

	for _, e := range edits(n) {
		before, err := os.ReadFile(filepath.Join(opts.Dir, e.path))
		if err != nil {
			return nil, fmt.Errorf("read what gets a line: %w", err)
		}

		after, err := e.apply(before)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.path, err)
		}

		p.Files = append(p.Files, File{Path: e.path, Text: after, Changed: true})
	}

	return p, nil
}

// Write writes it all. It overwrites no file that is new in the plan; if it fails, it removes what it has created.
func (p *Plan) Write() error {
	var written []string

	for _, f := range p.Files {
		path := filepath.Join(p.dir, filepath.FromSlash(f.Path))

		if err := f.write(path); err != nil {
			for _, made := range written {
				err = errors.Join(err, os.Remove(made))
			}

			return err
		}

		if !f.Changed {
			written = append(written, path)
		}
	}

	return nil
}

// Modes of source code, which is for everyone who may see the checkout. What is changed keeps its own.
const (
	dirMode  = 0o755
	fileMode = 0o644
)

func (f File) write(path string) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if f.Changed {
		flags = os.O_WRONLY | os.O_TRUNC
	}

	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return fmt.Errorf("write: %w", err)
	}

	file, err := os.OpenFile(path, flags, fileMode) //nolint:gosec // The path is made of a checked name.
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}

	_, err = file.Write(f.Text)

	return errors.Join(err, file.Close())
}

// module gives the Go module of the checkout.
func module(dir string) (string, error) {
	for _, path := range []string{definitionsPath, policyPath, "go.mod"} {
		if _, err := os.Stat(filepath.Join(dir, path)); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%s has no %s: %w", dir, path, errNoCheckout)
		} else if err != nil {
			return "", fmt.Errorf("look for the checkout: %w", err)
		}
	}

	text, err := fs.ReadFile(os.DirFS(dir), "go.mod")
	if err != nil {
		return "", fmt.Errorf("look for the checkout: %w", err)
	}

	found := gomodule.Path(text)
	if found == "" {
		return "", fmt.Errorf("%s has a go.mod without a module: %w", dir, errNoCheckout)
	}

	return found, nil
}
