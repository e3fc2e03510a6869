package servers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a gRPC server. It ends with the test, or with the process of the test.
type Server struct {
	// Address is host:port.
	Address string

	process *process
	events  *events
	stdin   io.WriteCloser
	// again starts it again.
	again func(tb testing.TB, address string) *Server
}

// startServer runs a program that takes its configuration as an argument, and waits until it listens.
func startServer(tb testing.TB, config Config, program string, args ...string) *Server {
	tb.Helper()

	if config.Methods = methods(); config.Address == "" {
		config.Address = "127.0.0.1:0"
	}

	if config.Options == nil {
		config.Options = map[string]int{}
	}

	text, err := json.Marshal(config)
	if err != nil {
		tb.Fatal(err)
	}

	s := &Server{events: newEvents(), again: func(tb testing.TB, address string) *Server {
		tb.Helper()

		config.Address = address

		return startServer(tb, config, program, args...)
	}}
	cmd := exec.Command(program, append(slices.Clip(args), string(text))...)

	if s.stdin, err = cmd.StdinPipe(); err != nil {
		tb.Fatal(err)
	}

	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}

	s.process = run(tb, cmd, func() {
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}

			s.events.add(line)
		}
	})
	tb.Cleanup(s.process.kill)

	late := time.After(patience)

	for {
		list, more := s.events.all()
		if len(list) > 0 {
			s.Address = net.JoinHostPort("127.0.0.1", strconv.Itoa(list[0].Port))

			return s
		}

		select {
		case <-more:
		case <-s.process.ended:
			tb.Fatalf("%s ended: %s", program, s.process.stderr.String())
		case <-late:
			tb.Fatalf("%s does not listen: %s", program, s.process.stderr.String())
		}
	}
}

// Health changes what the health service says.
func (s *Server) Health(tb testing.TB, status int) {
	tb.Helper()
	s.command(tb, "health "+strconv.Itoa(status))
}

// Calm has a Node server do what servers do to clients that ping too often: GOAWAY with ENHANCE_YOUR_CALM and "too_many_pings", and
// the end of the connection.
func (s *Server) Calm(tb testing.TB) {
	tb.Helper()
	s.command(tb, "calm")
}

// Stop has the server end its calls and itself. It does not wait for it.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	s.command(tb, "stop")
}

// Drain stops the server once the calls are over that are under way (GOAWAY). It does not wait for it.
func (s *Server) Drain(tb testing.TB) {
	tb.Helper()
	s.command(tb, "drain")
}

// Freeze has the server do nothing any more, with its connections open.
func (s *Server) Freeze(tb testing.TB) {
	tb.Helper()
	s.process.signal(tb, syscall.SIGSTOP)
}

// Kill ends the server at once.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.process.kill()
}

// Restart returns another server, on the port of one that has ended.
func (s *Server) Restart(tb testing.TB) *Server {
	tb.Helper()

	return s.again(tb, s.Address)
}

// AwaitEnd waits until the server has stopped.
func (s *Server) AwaitEnd(tb testing.TB) {
	tb.Helper()
	s.process.awaitEnd(tb)
}

func (s *Server) command(tb testing.TB, line string) {
	tb.Helper()

	if _, err := io.WriteString(s.stdin, line+"\n"); err != nil {
		tb.Fatal(err)
	}
}

// process is a program that ends with the test.
type process struct {
	cmd    *exec.Cmd
	stderr *buffer
	// ended is closed when the process has.
	ended chan struct{}
}

// run starts a program. read takes what it prints, to the end.
func run(tb testing.TB, cmd *exec.Cmd, read func()) *process {
	tb.Helper()

	p := &process{cmd: cmd, stderr: &buffer{}, ended: make(chan struct{})}
	cmd.Stderr = p.stderr

	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}

	go func() {
		defer close(p.ended)

		read()

		_ = cmd.Wait() // Tests end it in ways that are errors to it.
	}()

	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // It may have ended.
	<-p.ended
}

// stop lets the process end its children, as nginx has.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // It may have ended.

	select {
	case <-p.ended:
	case <-time.After(patience):
		p.kill()
	}
}

func (p *process) signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()

	if err := p.cmd.Process.Signal(signal); err != nil {
		tb.Fatal(err)
	}
}

func (p *process) awaitEnd(tb testing.TB) {
	tb.Helper()

	select {
	case <-p.ended:
	case <-time.After(patience):
		tb.Fatalf("%s does not end: %s", p.cmd.Path, p.stderr.String())
	}
}

// awaitReady waits until the process answers a request on a Unix socket, and reports whether it did so before it ended. A program that
// opens all of its sockets before it serves any has all of them then.
func (p *process) awaitReady(tb testing.TB, socket string) bool {
	tb.Helper()

	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()

	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}

	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://proxy/", nil)
		if err != nil {
			tb.Fatal(err)
		}

		res, err := client.Do(req)
		if err == nil {
			_ = res.Body.Close()

			return true
		}

		select {
		case <-p.ended:
			return false
		case <-ctx.Done():
			tb.Fatalf("%s is not ready: %v: %s", p.cmd.Path, err, p.stderr.String())
		case <-time.After(10 * time.Millisecond): // No event says that the socket is there.
		}
	}
}

// buffer is safe for concurrent use.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.text.String()
}

// inTree returns the path of a file beside this one. Tests run in the folder of their package, and binaries do not have to know
// where they were compiled.
func inTree(tb testing.TB, name string) string {
	tb.Helper()

	const folder = "bff/internal/testkit/servers"

	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}

	for ; ; dir = filepath.Dir(dir) {
		if path := filepath.Join(dir, folder); isDir(path) {
			return filepath.Join(path, name)
		}

		if dir == filepath.Dir(dir) {
			tb.Fatalf("the test does not run in a checkout, which has %s", folder)
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)

	return err == nil && info.IsDir()
}
