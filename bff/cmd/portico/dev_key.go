package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// keyFolder returns the data directory whose key signs a token, and the running `portico dev` that accepts the token, or nil. It is
// the named directory, else that of the only `portico dev` that runs, else that of the working directory.
func keyFolder(named bool, dir string, all []running) (folder string, by *running, err error) {
	for i := range all {
		if all[i].DataDir == absolute(dir) {
			return dir, &all[i], nil
		}
	}

	if named || len(all) == 0 {
		return dir, nil, nil
	}

	if !slices.ContainsFunc(all, func(r running) bool { return r.DataDir != all[0].DataDir }) {
		return all[0].DataDir, &all[0], nil
	}

	choices := make([]string, 0, len(all))
	for _, r := range all {
		choices = append(choices, fmt.Sprintf("  --data-dir %s  for the one at %s", shellQuote(r.DataDir), reachable(r.Address)))
	}

	return "", nil, usagef("several gateways run, and none with the data directory of this folder; choose one:\n%s",
		strings.Join(choices, "\n"))
}

// openKey opens the issuer that signs a token. It warns on stderr about a new key or one of another directory.
func openKey(ctx context.Context, stderr io.Writer, named bool, dir string) (*devissuer.DevIssuer, error) {
	folder, by, err := keyFolder(named, dir, listRunning(ctx))
	if err != nil {
		return nil, err
	}

	issuer, err := devissuer.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("data directory (--data-dir): %w", err)
	}

	var text string

	switch {
	case issuer.Created():
		text = fmt.Sprintf("portico: made a new key in %s: only a gateway that is started with this data directory (--data-dir)"+
			" accepts the token", absolute(folder))
	case by != nil && folder != dir:
		text = fmt.Sprintf("portico: signed for the gateway at %s, with the key in %s", reachable(by.Address), folder)
	default:
		return issuer, nil
	}

	if _, err := fmt.Fprintln(stderr, text); err != nil {
		return nil, fmt.Errorf("print: %w", err)
	}

	return issuer, nil
}

// absolute is the path of a folder that all processes use, or the folder as it is.
func absolute(dir string) string {
	path, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}

	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}

	return path
}

// shellQuote is a text as a word of a POSIX shell.
func shellQuote(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,") == "" {
		return text
	}

	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
