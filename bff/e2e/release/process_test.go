package release_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// gateway is a process of the image.
type gateway struct {
	url string

	cmd   *exec.Cmd
	lines chan string
	seen  []string
}

// start runs the image in its folder. Root can make that the root of the process, and has the user of the image run it; others run it
// as themselves.
func (i image) start(t *testing.T, dir string) *gateway {
	t.Helper()

	config := i.config.Config
	args := slices.Concat(config.Entrypoint, config.Cmd)
	g := &gateway{cmd: &exec.Cmd{Dir: "/"}, lines: make(chan string)}
	authority := "/etc/portico/ca.pem"

	if os.Geteuid() == 0 {
		const nonroot = 65532

		g.cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir, Credential: &syscall.Credential{Uid: nonroot, Gid: nonroot}}
	} else {
		args[0], args[len(args)-1], authority = filepath.Join(dir, args[0]), filepath.Join(dir, args[len(args)-1]), filepath.Join(dir, authority)
	}

	g.cmd.Path, g.cmd.Args = args[0], args
	g.cmd.Env = slices.Concat(config.Env, []string{"SSL_CERT_FILE=" + authority})

	out, in := io.Pipe()
	g.cmd.Stdout, g.cmd.Stderr = in, in

	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = g.cmd.Process.Kill() })

	go func() {
		defer close(g.lines)

		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			g.lines <- scanner.Text()
		}
	}()

	go func() {
		_ = g.cmd.Wait()
		_ = in.Close()
	}()

	for line := range g.lines {
		g.seen = append(g.seen, line)

		var entry struct{ Address, Config string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Config != "" && entry.Address != "" {
			g.url = "http://" + entry.Address

			return g
		}
	}

	t.Fatalf("it does not listen:\n%s", g.log())

	return nil
}

func (g *gateway) log() string { return strings.Join(g.seen, "\n") }

// stop ends it as `docker stop` does.
func (g *gateway) stop(t *testing.T) {
	t.Helper()

	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}

	for line := range g.lines {
		g.seen = append(g.seen, line)
	}

	if code := g.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, g.log())
	}
}
