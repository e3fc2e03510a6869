package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// running is a `portico dev` that runs, as it is listed for the other commands of the same user.
type running struct {
	// Address is where it listens for clients: host:port, or the path of a Unix socket.
	Address string `json:"address"`
	// DataDir is its data directory, as an absolute path.
	DataDir string `json:"data_dir"`
}

// runningDir is the folder with one file per address, which only its user can read or write.
func runningDir() (string, error) {
	cache, err := os.UserCacheDir()

	return filepath.Join(cache, "portico", "dev"), err
}

// announce lists the process until withdraw is called. If it ends without that, listRunning removes it.
func (r running) announce() (withdraw func(), err error) {
	dir, err := runningDir()
	if err != nil {
		return nil, fmt.Errorf("list what is running: %w", err)
	}

	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("list what is running: %w", err)
	}

	const onlyOwner, onlyOwnerFile = 0o700, 0o600

	file := filepath.Join(dir, url.PathEscape(r.Address)+".json")

	// A file that exists is of a process that no longer listens at this address.
	if err := errors.Join(os.MkdirAll(dir, onlyOwner), os.WriteFile(file, text, onlyOwnerFile)); err != nil {
		return nil, fmt.Errorf("list what is running: %w", err)
	}

	return func() {
		// The next one at this address may have replaced it.
		if now, err := os.ReadFile(file); err == nil && bytes.Equal(now, text) { //nolint:gosec // As above.
			_ = os.Remove(file)
		}
	}, nil
}

// listRunning returns every `portico dev` of this user that still listens; none if they cannot be listed.
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
		var r running

		text, err := os.ReadFile(file) //nolint:gosec // It is in the folder of this user.
		if err != nil || json.Unmarshal(text, &r) != nil {
			continue // It is being removed or written.
		}

		if r.listens(ctx) {
			list = append(list, r)
		} else {
			_ = os.Remove(file)
		}
	}

	return list
}

// listens reports whether something listens at the address.
func (r running) listens(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()

	network, address := "tcp", reachable(r.Address)
	if filepath.IsAbs(r.Address) {
		network, address = "unix", r.Address
	}

	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		// It may be too busy to accept, or the host may have a name that is only valid there.
		return !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist)
	}

	_ = conn.Close()

	return true
}
