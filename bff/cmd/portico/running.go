package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// running is a `portico dev` that runs, as it is noted for the other commands of the same user.
type running struct {
	// Address is where it listens for clients, host:port.
	Address string `json:"address"`
	// DataDir is its data directory, as an absolute path.
	DataDir string `json:"data_dir"`
}

// runningDir is where they are noted: one file for each address, which only its user can read or write.
func runningDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("note what is running: %w", err)
	}

	return filepath.Join(cache, "portico", "dev"), nil
}

func (r running) file(dir string) string {
	return filepath.Join(dir, url.PathEscape(r.Address)+".json")
}

// announce notes that it runs, until withdraw is called. One that is gone without that is found out by listRunning.
func (r running) announce() (withdraw func(), err error) {
	dir, err := runningDir()
	if err != nil {
		return nil, err
	}

	const onlyOwner, onlyOwnerFile = 0o700, 0o600
	if err := os.MkdirAll(dir, onlyOwner); err != nil {
		return nil, fmt.Errorf("note what is running: %w", err)
	}

	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("note what is running: %w", err)
	}

	// Whatever is there is of a process that no longer listens at this address.
	if err := os.WriteFile(r.file(dir), text, onlyOwnerFile); err != nil {
		return nil, fmt.Errorf("note what is running: %w", err)
	}

	return func() {
		// The next one at this address may be there already.
		if now, err := os.ReadFile(r.file(dir)); err == nil && string(now) == string(text) {
			_ = os.Remove(r.file(dir))
		}
	}, nil
}

// listRunning returns every `portico dev` of this user that still listens. Without a folder to note them in there is none.
func listRunning(ctx context.Context) []running {
	dir, err := runningDir()
	if err != nil {
		return nil
	}

	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil
	}

	var list []running

	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // It is in the folder of this user.
		if err != nil {
			continue
		}

		var r running
		if err := json.Unmarshal(text, &r); err != nil {
			// It is being written.
			continue
		}

		if !r.listens(ctx) {
			_ = os.Remove(file)

			continue
		}

		list = append(list, r)
	}

	return list
}

// listens reports whether something listens at the address.
func (r running) listens(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()

	var dialer net.Dialer

	conn, err := dialer.DialContext(ctx, "tcp", reachable(r.Address))
	if err != nil {
		// It may be too busy to accept, or its host be spelled in a way of its own.
		return !errors.Is(err, syscall.ECONNREFUSED)
	}

	_ = conn.Close()

	return true
}
