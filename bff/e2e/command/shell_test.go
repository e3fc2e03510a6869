package command_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// shell is a shell of a reader, who copies one command after the other from a page into it.
type shell struct {
	dir string
	env []string
	// ports replaces the addresses that pages name by free ones, and printed does the reverse.
	ports, printed *strings.Replacer

	in  io.Writer
	out *bufio.Reader
	// server is what runs in another terminal.
	server *server
}

// server is a command that runs until it is told to stop.
type server struct {
	cmd *exec.Cmd
	out ready
	// ended is closed when the command has ended.
	ended chan struct{}
}

// ready is what a server printed so far.
type ready struct {
	mu   sync.Mutex
	text strings.Builder
	done bool
	// said is closed when the server says that it listens.
	said chan struct{}
}

var readyPattern = regexp.MustCompile(`Portico is ready|"msg":"listening"`)

func (r *ready) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.text.Write(p)

	if !r.done && readyPattern.MatchString(r.text.String()) {
		r.done = true

		close(r.said)
	}

	return len(p), nil
}

func (r *ready) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.text.String()
}

// openShell starts a shell in a folder, with more variables in its environment. The environment of make is left out: the reader's
// shell is not a child of it.
func openShell(t *testing.T, dir string, env []string, addresses map[string]string) *shell {
	t.Helper()

	var forth, back []string

	for as, is := range addresses {
		forth, back = append(forth, as, is), append(back, is, as)
	}

	environ := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS=") || strings.HasPrefix(v, "PORTICO_")
	})
	s := &shell{
		dir: dir, env: append(environ, env...), ports: strings.NewReplacer(forth...), printed: strings.NewReplacer(back...),
	}

	cmd := s.command(t, "bash", "--norc")

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}

	cmd.Stdout, cmd.Stderr = w, w

	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}

	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	_ = w.Close()
	s.in, s.out = in, bufio.NewReader(r)

	t.Cleanup(func() {
		s.stop(t)

		_ = in.Close()
		_ = cmd.Wait()
		_ = r.Close()
	})

	return s
}

func (s *shell) command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()

	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.dir, s.env

	return cmd
}

var serverPattern = regexp.MustCompile(`^(make run|bin/portico (dev|serve))\b`)

const endOfCommand = "end-of-command "

// run runs a command to its end, or a server until it listens, and returns what was printed and the exit code. The server before it
// is stopped, as it has the ports.
func (s *shell) run(t *testing.T, command string) (printed string, code int) {
	t.Helper()

	if serverPattern.MatchString(command) {
		s.serve(t, command)

		return "", 0
	}

	// The command must not read the next ones.
	if _, err := io.WriteString(s.in, "{ "+s.ports.Replace(command)+"\n} </dev/null\necho '"+endOfCommand+"'$?\n"); err != nil {
		t.Fatal(err)
	}

	var text strings.Builder

	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			t.Fatalf("the shell ended at %q: %v\n%s", command, err, &text)
		}

		// The output before it may lack the end of its last line.
		before, rest, found := strings.Cut(line, endOfCommand)
		text.WriteString(before)

		if found {
			code, err = strconv.Atoi(strings.TrimSpace(rest))
			if err != nil {
				t.Fatal(err)
			}

			return s.printed.Replace(text.String()), code
		}
	}
}

// serve starts a server and waits until it says that it listens.
func (s *shell) serve(t *testing.T, command string) {
	t.Helper()
	s.stop(t)

	next := &server{out: ready{said: make(chan struct{})}, ended: make(chan struct{})}
	next.cmd = s.command(t, "bash", "-c", s.ports.Replace(command))
	next.cmd.Stdout, next.cmd.Stderr = &next.out, &next.out
	// What make runs gets the signal as well, as it would from a terminal.
	next.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	if err := next.cmd.Start(); err != nil {
		t.Fatal(err)
	}

	s.server = next

	go func() {
		defer close(next.ended)

		_ = next.cmd.Wait()
	}()

	select {
	case <-next.out.said:
	case <-next.ended:
		t.Fatalf("%s ended:\n%s", command, &next.out)
	}
}

// stop interrupts the server, as Ctrl-C does, and waits for its end.
func (s *shell) stop(t *testing.T) {
	t.Helper()

	if s.server == nil {
		return
	}

	if err := syscall.Kill(-s.server.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Error(err)
	}

	<-s.server.ended
	s.server = nil
}

// commands are the lines of a shell block, joined where they go on behind a backslash. Comments are left to the shell.
func commands(text string) []string {
	text = strings.ReplaceAll(text, "\\\n", "")

	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#")
	})
}

// consoleCommand is a command of a console block and what it prints.
type consoleCommand struct{ command, printed string }

// consoleCommands are the commands of a console block, each behind "$ ".
func consoleCommands(text string) []consoleCommand {
	var all []consoleCommand

	for line := range strings.Lines(text) {
		if command, is := strings.CutPrefix(line, "$ "); is {
			all = append(all, consoleCommand{command: strings.TrimSuffix(command, "\n")})
		} else if len(all) > 0 {
			all[len(all)-1].printed += line
		}
	}

	return all
}

// volatile is what differs from one run to the next, in what commands print.
var volatile = []struct {
	pattern *regexp.Regexp
	stands  string
}{
	{regexp.MustCompile(`\b[A-Z2-7]{26}\b`), "(request id)"},
	{regexp.MustCompile(`\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} [\d:]{8} GMT`), "(date)"},
	{regexp.MustCompile(`\bdur=\d+\.\d\b`), "dur=(time)"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT[\d:.]+Z`), "(time)"},
	{regexp.MustCompile(`\b([a-z]+)_[0-9a-hjkmnp-tv-z]{26}\b`), "$1_(id)"},
	{regexp.MustCompile(`(?m)^Etag: "[^"]+"$`), "Etag: (tag)"},
	// Seconds, and tokens that come back meanwhile.
	{regexp.MustCompile(`(?m)^(Retry-After|Ratelimit-Remaining|Ratelimit-Reset|Age|retry): \d+`), "$1: (number)"},
	{regexp.MustCompile(`\b(r|t|ttl)=\d+`), "$1=(number)"},
	// How many requests a limit lets through depends on their speed; that it lets some through and then none does not.
	{regexp.MustCompile(`(?m)^(200 ){10,}429 *$`), "(some) 200, 429"},
}

func normalised(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.stands)
	}

	return strings.TrimSpace(text)
}

// printsAs reports whether a command printed what a page says. "…" on the page is anything.
func printsAs(page, printed string) bool {
	parts := strings.Split(normalised(page), "…")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}

	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`).MatchString(normalised(printed))
}
