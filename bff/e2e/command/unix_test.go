package command_test

import (
	"context"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// overSocket sends a request for a path to a Unix socket.
func overSocket(t *testing.T, socket, path, forwardedFor string) answer {
	t.Helper()

	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}

	if forwardedFor != "" {
		req.Header.Set("X-Forwarded-For", forwardedFor)
	}

	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}

	return answer{status: res.StatusCode, header: res.Header, body: string(text)}
}

// startOnSockets runs `portico serve` where its configuration says.
func startOnSockets(t *testing.T, config string) *process {
	t.Helper()

	p := startPrepared(t, raced, func(cmd *exec.Cmd) { cmd.Env = os.Environ() }, "serve", "--config", config)
	eventually(t, "the gateway listening", func() bool { return listening.MatchString(p.stderr.String()) })

	return p
}

func TestUnixSockets(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	server, admin := filepath.Join(dir, "server"), filepath.Join(dir, "admin")
	text := withoutBackends("server: {address: 'unix:" + server + "?mode=0600', drain_delay: 1ms}\nadmin: {address: 'unix:" + admin +
		"'}\nhealth: {address: '-'}\n")
	file := writeFile(t, "portico.yaml", text)
	p := startOnSockets(t, file)

	for path, mode := range map[string]fs.FileMode{server: 0o600, admin: 0o660} {
		if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeSocket|mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}

	want(t, "a request", overSocket(t, server, "/v1/first", "203.0.113.7"), http.StatusNotFound)

	// A reload replaces the server of the listener.
	if err := os.WriteFile(file, []byte(text+"client_ip: {trusted_proxies: [unix]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	p.signal(t, syscall.SIGHUP)
	eventually(t, "the reload", func() bool { return p.lines(reloadedLine) == 1 })
	want(t, "a request", overSocket(t, server, "/v1/second", "203.0.113.7"), http.StatusNotFound)
	eventually(t, "the log", func() bool {
		return p.lines(`"msg":"request"`, `"client":"unknown"`) == 1 && p.lines(`"msg":"request"`, `"client":"203.0.113.7"`) == 1
	})

	if ready := overSocket(t, admin, "/readyz", ""); ready.status != http.StatusOK {
		t.Errorf("readiness: %d", ready.status)
	}

	other, errs, code := porticoPrepared(t, func(cmd *exec.Cmd) { cmd.Env = os.Environ() }, "serve", "--config", file)
	if code != 1 || !strings.Contains(errs, "server.address: another process listens on "+server) {
		t.Errorf("another one: exit code %d: %s%s", code, other, errs)
	}

	_, errs, code = porticoPrepared(t, func(cmd *exec.Cmd) { cmd.Env = os.Environ() }, "check", "--config", file)
	if code != 0 || !strings.Contains(errs, "server.address: "+server+" is in use") {
		t.Errorf("check: exit code %d: %s", code, errs)
	}

	// It has no time to remove them.
	p.signal(t, syscall.SIGKILL)
	_ = p.cmd.Wait()

	again := startOnSockets(t, file)
	want(t, "a request", overSocket(t, server, "/v1/third", ""), http.StatusNotFound)

	if code := again.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}

	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
