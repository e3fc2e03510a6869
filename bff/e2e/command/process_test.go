package command_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// metric returns the value of one without labels.
func (p *process) metric(t *testing.T, name string) float64 {
	t.Helper()

	text := call(t, http.MethodGet, p.admin+"/metrics", "", "").body

	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("there is no %s", name)
	}

	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}

	return value
}

const droppedLines = "portico_log_lines_dropped_total"

// logUntilDropped sends requests until lines of the log are dropped. They are short, so it takes thousands: they are pipelined.
func (p *process) logUntilDropped(t *testing.T) {
	t.Helper()

	const batch = 1000

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	requests, responses := strings.Repeat("GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n", batch), bufio.NewReader(conn)

	eventually(t, "lines dropped", func() bool {
		// What the kernel holds is more than this.
		if _, err := io.WriteString(conn, requests); err != nil {
			t.Fatal(err)
		}

		for range batch {
			res, err := http.ReadResponse(responses, nil)
			if err != nil {
				t.Fatal(err)
			}

			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode >= http.StatusInternalServerError {
				t.Fatalf("%s, %v", res.Status, err)
			}

			_ = res.Body.Close()
		}

		return p.metric(t, droppedLines) > 0
	})
}

func (p *process) wantServing(t *testing.T) {
	t.Helper()

	want(t, "a request", call(t, http.MethodGet, p.url+"/v1/users/alice", p.token(t, "alice"), ""), http.StatusOK)
	want(t, "readiness", call(t, http.MethodGet, p.admin+"/readyz", "", ""), http.StatusOK)
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()

	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		_ = r.Close()
		_ = w.Close()
	})

	return r, w
}

// fill writes to a pipe until it takes no more.
func fill(t *testing.T, w *os.File) {
	t.Helper()

	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}

	if err := raw.Write(func(fd uintptr) bool {
		for {
			if _, err := syscall.Write(int(fd), []byte("x")); err != nil {
				return true
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// Once, requests waited for the reader of the log, and a closed log ended the process without a drain.
func TestLogThatNobodyTakes(t *testing.T) {
	t.Parallel()

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}

	_, stuck := pipe(t)
	gone, broken := pipe(t)

	for name, stderr := range map[string]*os.File{"reader_does_not_read": stuck, "reader_is_gone": broken, "disk_is_full": full} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			p := startDevPrepared(t, raced, t.TempDir(), func(cmd *exec.Cmd) { cmd.Stderr = stderr })
			_ = stderr.Close()

			if name == "reader_is_gone" {
				_ = gone.Close()
			}

			p.logUntilDropped(t)
			p.wantServing(t)

			if code := p.stop(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// When somebody reads on, the log says how much is missing.
func TestLogThatIsReadAgain(t *testing.T) {
	t.Parallel()

	r, w := pipe(t)
	p := startDevPrepared(t, raced, t.TempDir(), func(cmd *exec.Cmd) { cmd.Stderr = w })
	_ = w.Close()

	p.logUntilDropped(t)

	read := make(chan struct{})

	go func() {
		defer close(read)

		_, _ = io.Copy(p.stderr, r)
	}()

	eventually(t, "the notice", func() bool { return strings.Contains(p.stderr.String(), "log lines were dropped") })

	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}

	<-read

	for line := range strings.Lines(p.stderr.String()) {
		if !strings.HasPrefix(line, "time=") || !strings.HasSuffix(line, "\n") {
			t.Errorf("not a whole line: %s", line)
		}
	}
}

// A failing start must not wait for a reader either.
func TestComplaintOfServeThatNobodyReads(t *testing.T) {
	t.Parallel()

	_, w := pipe(t)

	fill(t, w)

	p := startPrepared(t, raced, func(cmd *exec.Cmd) { cmd.Stderr = w }, "serve", "--config", filepath.Join(t.TempDir(), "none.yaml"))

	if _ = p.cmd.Wait(); p.cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("exit code %d", p.cmd.ProcessState.ExitCode())
	}
}

// Once, SIGHUP ended the process without a drain.
func TestHangupIsIgnoredByDev(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	p.signal(t, syscall.SIGHUP)
	eventually(t, "a line", func() bool { return strings.Contains(p.stderr.String(), "SIGHUP is ignored") })
	p.wantServing(t)

	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// startBusy runs `portico dev` with a request under way that gets no answer.
func startBusy(t *testing.T) *process {
	t.Helper()

	// It accepts connections and says nothing.
	silent := listen(t, "127.0.0.1:0")
	if silent == nil {
		t.Fatal("no port")
	}

	t.Cleanup(func() { _ = silent.Close() })

	config := writeFile(t, "portico.yaml", fmt.Sprintf(`
server: {drain_timeout: 10m}
upstreams: {user: {addresses: [%q]}}
policies: [{selector: user.v1.UserService.GetUser, set: {timeout: 600s}}]
`, silent.Addr()))
	p := startDevPrepared(t, raced, t.TempDir(), func(*exec.Cmd) {}, "--config", config)
	token := p.token(t, "alice")

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})

	go func() {
		defer close(ended)

		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/v1/users/alice", http.NoBody)
		if err != nil {
			t.Error(err)

			return
		}

		r.Header.Set("Authorization", "Bearer "+token)

		if res, err := http.DefaultClient.Do(r); err == nil {
			_ = res.Body.Close()
		}
	}()

	t.Cleanup(func() {
		cancel()
		<-ended
	})

	eventually(t, "the request under way", func() bool { return p.metric(t, "portico_http_requests_in_flight") == 1 })

	return p
}

func TestSecondSignalEndsTheDrain(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		name          string
		first, second syscall.Signal
		code          int
	}{
		{"SIGTERM_twice", syscall.SIGTERM, syscall.SIGTERM, 143},
		{"SIGTERM_and_SIGINT", syscall.SIGTERM, syscall.SIGINT, 130},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			p := startBusy(t)
			p.signal(t, row.first)
			eventually(t, "the drain", func() bool { return strings.Contains(p.stderr.String(), "msg=draining") })

			// It is no reason to hurry.
			p.signal(t, syscall.SIGHUP)
			eventually(t, "a line", func() bool { return strings.Contains(p.stderr.String(), "SIGHUP is ignored") })

			p.signal(t, row.second)

			if _ = p.cmd.Wait(); p.cmd.ProcessState.ExitCode() != row.code {
				t.Errorf("exit code %d, want %d", p.cmd.ProcessState.ExitCode(), row.code)
			}
		})
	}
}
