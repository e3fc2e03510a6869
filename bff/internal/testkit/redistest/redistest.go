// Package redistest starts a real Redis for tests, also with Sentinels or as a Cluster, stops it, freezes it and brings it back.
package redistest

import (
	"bytes"
	"fmt"
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

	// TLSAddr is where it listens for TLS, with the arguments of TLS.
	TLSAddr string
	// bus is the port for other nodes of a Cluster.
	bus string

	tb   testing.TB
	args []string
	log  bytes.Buffer // Read only after the process has ended.
	cmd  *exec.Cmd
	// ended is closed when the process has.
	ended chan struct{}
}

// What stands in arguments for further ports of a server.
const (
	busPort = "{bus}"
	tlsPort = "{tls}"
)

// Start starts a server, with more arguments if given, and kills it when the test ends.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()

	const (
		attempts = 5 // Another process may take a port in between.
		loopback = "127.0.0.1"
	)

	dir := tb.TempDir()

	for range attempts {
		ports := freePorts(tb, loopback)
		s := &Server{Addr: net.JoinHostPort(loopback, ports[0]), TLSAddr: net.JoinHostPort(loopback, ports[1]), bus: ports[2], tb: tb}
		replacer := strings.NewReplacer(tlsPort, ports[1], busPort, ports[2])

		for _, arg := range args {
			s.args = append(s.args, replacer.Replace(arg))
		}

		// A file must be the first argument.
		s.args = append(s.args, "--bind", loopback, "--port", ports[0], "--dir", dir, "--save", "", "--appendonly", "no")

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
	info, err := send(addr, "INFO", "server")

	return err == nil && strings.Contains(info, "\nprocess_id:"+strconv.Itoa(pid)+"\r\n")
}

// Do sends a command as an operator and returns the reply as it was sent.
func (s *Server) Do(args ...string) string {
	s.tb.Helper()

	reply, err := send(s.Addr, args...)
	if err != nil {
		s.tb.Fatalf("%v: %v", args, err)
	}

	return reply
}

// DoAs is Do with a password of the default user.
func (s *Server) DoAs(password string, args ...string) string {
	s.tb.Helper()

	reply, err := exchange(s.Addr, []string{"AUTH", password}, args)

	reply, accepted := strings.CutPrefix(reply, "+OK\r\n")
	if err != nil || !accepted {
		s.tb.Fatalf("%v: %q, %v", args, reply, err)
	}

	return reply
}

// until sends a command until the reply has the text.
func (s *Server) until(text string, args ...string) {
	s.tb.Helper()

	const limit, pause = time.Minute, 20 * time.Millisecond

	for end := time.Now().Add(limit); ; time.Sleep(pause) {
		reply, err := send(s.Addr, args...)
		if err == nil && strings.Contains(reply, text) {
			return
		}

		if time.Now().After(end) {
			s.tb.Fatalf("%v: %q, %v; want %q", args, reply, err, text)
		}
	}
}

// send sends a command on a connection of its own and returns the reply as it was sent.
func send(addr string, args ...string) (string, error) { return exchange(addr, args) }

// exchange sends commands on a connection of their own and returns the replies as they were sent.
func exchange(addr string, commands ...[]string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()

	var text []byte
	for _, args := range commands {
		text = fmt.Appendf(text, "*%d\r\n", len(args))
		for _, arg := range args {
			text = fmt.Appendf(text, "$%d\r\n%s\r\n", len(arg), arg)
		}
	}

	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	_, _ = conn.Write(text)

	// A Sentinel does not know QUIT.
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}

	reply, err := io.ReadAll(conn)
	if err != nil {
		return "", fmt.Errorf("read: %w", err)
	}

	return string(reply), nil
}

// freePorts returns ports that nothing listens on.
func freePorts(tb testing.TB, host string) (ports [3]string) {
	tb.Helper()

	for i := range ports {
		lis, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			tb.Fatal(err)
		}
		defer lis.Close()

		if _, ports[i], err = net.SplitHostPort(lis.Addr().String()); err != nil {
			tb.Fatal(err)
		}
	}

	return ports
}
