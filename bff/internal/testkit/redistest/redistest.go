// Package redistest starts a real Redis for tests, stops it, freezes it and brings it back.
package redistest

import (
	"bytes"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is an empty redis-server on a port of its own, without persistence.
type Server struct {
	// Addr is host:port. It stays the same when the server is started again.
	Addr string

	tb   testing.TB
	args []string
	log  bytes.Buffer // Read only after the process has ended.
	cmd  *exec.Cmd
	// ended is closed when the process has.
	ended chan struct{}
}

// Start starts a server, with more arguments if given, and kills it when the test ends.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()

	const attempts = 5 // Another process may take the port in between.

	dir := tb.TempDir()

	for range attempts {
		host, port := freePort(tb)
		s := &Server{Addr: net.JoinHostPort(host, port), tb: tb}
		s.args = append([]string{"--bind", host, "--port", port, "--dir", dir, "--save", "", "--appendonly", "no"}, args...)

		if s.start() {
			tb.Cleanup(s.Stop)

			return s
		}
	}

	tb.Fatal("redis-server does not start")

	return nil
}

// URL is that of the first database.
func (s *Server) URL() string { return "redis://" + s.Addr + "/0" }

// Stop kills the server, if it runs. Everything in it is lost.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}

	_ = s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

// Restart starts the server again, at the same address, after Stop.
func (s *Server) Restart() {
	s.tb.Helper()

	if s.cmd != nil || !s.start() {
		s.tb.Fatalf("redis-server does not start again: %s", s.log.String())
	}
}

// Freeze stops the server without closing its connections. They hang until Thaw.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw resumes a frozen server, which begins with what was sent to it in the meantime.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(what syscall.Signal) {
	s.tb.Helper()

	if err := s.cmd.Process.Signal(what); err != nil {
		s.tb.Fatal(err)
	}
}

// start reports whether the server answers.
func (s *Server) start() bool {
	s.tb.Helper()

	program, err := exec.LookPath("redis-server")
	if err != nil {
		s.tb.Fatal("redis-server is needed for this test: install the package redis-server (Debian) or redis (others)")
	}

	s.log.Reset()

	cmd := exec.Command(program, s.args...)
	cmd.Stdout, cmd.Stderr = &s.log, &s.log

	if err := cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}

	s.cmd, s.ended = cmd, make(chan struct{})

	go func() {
		defer close(s.ended)

		_ = cmd.Wait()
	}()

	if s.comesUp(cmd.Process.Pid) {
		return true
	}

	s.Stop()

	return false
}

func (s *Server) comesUp(pid int) bool {
	const limit, pause = 20 * time.Second, 5 * time.Millisecond

	late := time.After(limit)

	for !answers(s.Addr, pid) {
		select {
		case <-s.ended:
			return false
		case <-late:
			return false
		case <-time.After(pause):
		}
	}

	return true
}

// answers reports whether our server, and not another one at its address, answers.
func answers(addr string, pid int) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()

	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(conn, "INFO server\r\nQUIT\r\n")
	info, _ := io.ReadAll(conn)

	return strings.Contains(string(info), "\nprocess_id:"+strconv.Itoa(pid)+"\r\n")
}

func freePort(tb testing.TB) (host, port string) {
	tb.Helper()

	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer lis.Close()

	host, port, err = net.SplitHostPort(lis.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}

	return host, port
}
