package protosource

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

const extension = ".proto"

// Dir reads the .proto files below a folder. Their paths are relative to it.
func Dir(dir string) (Tree, error) {
	tree := Tree{}
	root := os.DirFS(dir)

	// An error of the walk would call it ".".
	if _, err := os.ReadDir(dir); err != nil {
		return nil, err
	}

	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != extension {
			return err
		}

		tree[name], err = fs.ReadFile(root, name)

		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}

	if len(tree) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrEmpty)
	}

	return tree, nil
}

// File reads one file of a folder. Its name is relative to the folder.
func File(dir, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))) //nolint:gosec // It names the file.
}

// RevisionFile is File for what a folder had in a revision of its Git repository. If there was none, the error is fs.ErrNotExist.
func RevisionFile(ctx context.Context, dir, revision, name string) ([]byte, error) {
	blob, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+":./"+filepath.ToSlash(name))

	exit := (*exec.ExitError)(nil)
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("%s of revision %q: %w", name, revision, fs.ErrNotExist)
	}

	if err != nil {
		return nil, fmt.Errorf("%s of revision %q: %w", name, revision, err)
	}

	return git(ctx, dir, "cat-file", "blob", strings.TrimSpace(string(blob)))
}

// Revision reads the .proto files that a folder had in a revision of its Git repository, "HEAD~1" or "v1.2.0". The working tree and
// the index stay as they are. It runs git.
func Revision(ctx context.Context, dir, revision string) (Tree, error) {
	// What is resolved first cannot be taken for an option afterwards.
	commit, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil, fmt.Errorf("%q is not a revision of the Git repository of %s", revision, dir) //nolint:err113 // For people.
	}

	if err != nil {
		return nil, fmt.Errorf("revision %q: %w", revision, err)
	}

	// In a folder, git archives that folder, with paths relative to it.
	archive, err := git(ctx, dir, "archive", "--format=tar", strings.TrimSpace(string(commit)), ".")
	if err != nil {
		return nil, fmt.Errorf("read %s of revision %q: %w", dir, revision, err)
	}

	tree, err := untar(archive)
	if err != nil {
		return nil, fmt.Errorf("read %s of revision %q: %w", dir, revision, err)
	}

	if len(tree) == 0 {
		return nil, fmt.Errorf("%s of revision %q: %w", dir, revision, ErrEmpty)
	}

	return tree, nil
}

func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}

	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", filepath.Clean(dir)}, args...)...) //nolint:gosec // No shell.

	var out, errs bytes.Buffer

	cmd.Stdout, cmd.Stderr = &out, &errs

	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(errs.String()); text != "" {
			return nil, errors.New(text)
		}

		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}

	return out.Bytes(), nil
}

func untar(archive []byte) (Tree, error) {
	tree := Tree{}
	files := tar.NewReader(bytes.NewReader(archive))

	for {
		header, err := files.Next()

		switch {
		case errors.Is(err, io.EOF):
			return tree, nil
		case err != nil:
			return nil, fmt.Errorf("read the archive: %w", err)
		case header.Typeflag != tar.TypeReg || path.Ext(header.Name) != extension:
			continue
		}

		if tree[path.Clean(header.Name)], err = io.ReadAll(files); err != nil {
			return nil, fmt.Errorf("read %s of the archive: %w", header.Name, err)
		}
	}
}
