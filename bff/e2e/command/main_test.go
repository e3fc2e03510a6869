package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	"sync"
	"syscall"
	"testing"
	"time"
)

// source is the folder of the command, whose module this is not.
const source = "../../cmd/portico"

// binary is the real command. It and raced are built once for all tests.
var binary string

// raced is the command with the race detector.
var raced string

// cacheDir is the cache of the tests' processes: those that run are listed there, apart from the user's.
var cacheDir string

func TestMain(m *testing.M) {
	if address := os.Getenv(numbersAddress); address != "" {
		os.Exit(serveNumbers(address))
	}

	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "portico")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)

		return 1
	}
	defer os.RemoveAll(dir)

	binary, raced, cacheDir = filepath.Join(dir, "portico"), filepath.Join(dir, "portico-race"), filepath.Join(dir, "cache")

	if err := makePrograms(); err != nil {
		fmt.Fprintln(os.Stderr, err)

		return 1
	}

	return conforming(m.Run)
}

func makePrograms() error {
	// A process under the race detector sleeps for a second before it exits, unless it is told otherwise.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=10"); err != nil {
		return err
	}

	// Nobody debugs them, and without what that takes they are linked in half the time.
	for _, args := range [][]string{{"-o", binary}, {"-race", "-o", raced}} {
		build := exec.Command("go", append([]string{"build", "-ldflags=-w"}, append(args, ".")...)...)
		build.Dir = source
		build.Stderr = os.Stderr

		if err := build.Run(); err != nil {
			return fmt.Errorf("build: %w", err)
		}
	}

	return nil
}

// process is a running `portico dev`.
type process struct {
	url, admin, dataDir string

	cmd    *exec.Cmd
	stdout *output
	stderr *output
}

// output is what a process printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.text.String()
}

var welcome = regexp.MustCompile(`(?s)REST\s+(https?://\S+).*Admin\s+(\S+).*(curl -s[^\n]* -H 'Authorization: Bearer \S+' \S+)`)

// startDev runs `portico dev` on free ports over the data directory and waits until it is ready.
func startDev(t *testing.T, dataDir string) *process {
	t.Helper()

	return startDevOf(t, raced, dataDir)
}

// startDevOf is startDev of a binary of one's own.
func startDevOf(t *testing.T, binary, dataDir string) *process {
	t.Helper()

	return startDevPrepared(t, binary, dataDir, func(*exec.Cmd) {})
}

// startDevPrepared is startDevOf with more arguments, and changed before.
func startDevPrepared(t *testing.T, binary, dataDir string, prepare func(*exec.Cmd), args ...string) *process {
	t.Helper()

	args = append([]string{"dev", "--data-dir", dataDir, "--backend-port", strconv.Itoa(freePorts(t))}, args...)
	p := startPrepared(t, binary, prepare, args...)
	p.dataDir = dataDir

	eventually(t, "the welcome", func() bool { return welcome.MatchString(p.stdout.String()) })

	found := welcome.FindStringSubmatch(p.stdout.String())
	p.url, p.admin = found[1], found[2]

	return p
}

var listening = regexp.MustCompile(`"msg":"listening","address":"([^"]+)"`)

// startServe runs `portico serve` with the configuration, on free ports.
func startServe(t *testing.T, path string) *process {
	t.Helper()

	return startServeOf(t, raced, path)
}

// startServeOf is startServe of a binary of one's own.
func startServeOf(t *testing.T, binary, path string) *process {
	t.Helper()

	p := start(t, binary, "serve", "--config", path)

	eventually(t, "the gateway listening", func() bool { return listening.MatchString(p.stderr.String()) })
	p.url = "http://" + listening.FindStringSubmatch(p.stderr.String())[1]

	return p
}

// start runs a command until the end of the test, with listeners on free ports.
func start(t *testing.T, binary string, args ...string) *process {
	t.Helper()

	return startPrepared(t, binary, func(*exec.Cmd) {}, args...)
}

// startPrepared is start of a command that is changed before.
func startPrepared(t *testing.T, binary string, prepare func(*exec.Cmd), args ...string) *process {
	t.Helper()

	p := &process{stdout: &output{}, stderr: &output{}}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Env = append(os.Environ(), "PORTICO_SERVER_ADDRESS=127.0.0.1:0", "PORTICO_ADMIN_ADDRESS=127.0.0.1:0",
		"PORTICO_HEALTH_ADDRESS=-", "PORTICO_DEV_OPENID_ADDRESS=127.0.0.1:0", "PORTICO_SERVER_DRAIN_DELAY=1ms",
		// However busy the machine is.
		"PORTICO_OVERLOAD_TARGET_DELAY=1h", "XDG_CACHE_HOME="+cacheDir)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	prepare(p.cmd)

	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}

		if t.Failed() {
			t.Logf("log of %v:\n%s", args, p.stderr)
		}
	})

	return p
}

// backendPorts is how many ports the backends of `portico dev` take, with some to spare for services that are new.
const backendPorts = 10

// nextPort is where to look for free ports; below those that the kernel gives to outgoing connections.
var nextPort = struct {
	sync.Mutex

	port int
}{port: 20000 + os.Getpid()%1000*10}

// freePorts finds as many free ports in a row as the backends take, and returns the first. No two tests get the same.
func freePorts(t *testing.T) int {
	t.Helper()
	nextPort.Lock()
	defer nextPort.Unlock()

	for range 100 {
		first := nextPort.port
		nextPort.port += backendPorts
		free := 0

		for i := range backendPorts {
			if l := listen(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(first+i))); l != nil {
				free++

				_ = l.Close()
			}
		}

		if free == backendPorts {
			return first
		}
	}

	t.Fatalf("no %d free ports in a row", backendPorts)

	return 0
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()

	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		return nil
	}

	return l
}

// stop ends the process as an operator would and returns its exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()

	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}

	if err := p.cmd.Wait(); err != nil && p.cmd.ProcessState == nil {
		t.Fatal(err)
	}

	return p.cmd.ProcessState.ExitCode()
}

// portico runs the command to its end.
func portico(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()

	return porticoPrepared(t, func(*exec.Cmd) {}, args...)
}

// porticoPrepared is portico of a command that is changed before.
func porticoPrepared(t *testing.T, prepare func(*exec.Cmd), args ...string) (stdout, stderr string, code int) {
	t.Helper()

	var out, errs bytes.Buffer

	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "PORTICO_DEV_OPENID_ADDRESS=127.0.0.1:0", "XDG_CACHE_HOME="+cacheDir)
	prepare(cmd)

	err := cmd.Run()

	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}

	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (p *process) token(t *testing.T, subject string, scopes ...string) string {
	t.Helper()

	args := []string{"token", "--data-dir", p.dataDir, "--subject", subject}
	for _, scope := range scopes {
		args = append(args, "--scope", scope)
	}

	out, errs, code := portico(t, args...)
	if code != 0 || strings.Count(out, "\n") != 1 || errs != "" {
		t.Fatalf("token: exit %d, printed %q and %q", code, out, errs)
	}

	return strings.TrimSpace(out)
}

type answer struct {
	status int
	header http.Header
	body   string
}

// json decodes the body.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()

	var doc map[string]any
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil {
		t.Fatalf("%v in %q", err, a.body)
	}

	return doc
}

func decode(t *testing.T, text string, into any) {
	t.Helper()

	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}

// call sends a request; an empty token is an anonymous caller.
func call(t *testing.T, method, url, token, body string) answer {
	t.Helper()

	res := open(t, t.Context(), method, url, token, body)
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}

	return answer{status: res.StatusCode, header: res.Header, body: string(text)}
}

func open(t *testing.T, ctx context.Context, method, url, token, body string) *http.Response {
	t.Helper()

	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}

	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}

	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}

	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}

	return res
}

func want(t *testing.T, what string, got answer, status int) answer {
	t.Helper()

	if got.status != status {
		t.Fatalf("%s: %d, want %d: %s", what, got.status, status, got.body)
	}

	if status >= http.StatusBadRequest && got.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: Content-Type %q", what, got.header.Get("Content-Type"))
	}

	return got
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()

	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s did not happen in time", what)
		}
	}
}
