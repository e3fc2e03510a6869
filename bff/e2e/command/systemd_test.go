package command_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

// withoutBackends is a complete configuration, whose backends are down, with more settings.
func withoutBackends(settings string) string {
	text := settings + "auth: {disabled: true}\nupstreams:\n"
	for _, name := range []string{"user", "order", "profile", "payment", "notification"} {
		text += "  " + name + ": {addresses: [\"127.0.0.1:1\"]}\n"
	}

	return text
}

// notifySocket is where systemd is told.
type notifySocket struct {
	conn *net.UnixConn
	path string
}

func listenForNotifications(t *testing.T) notifySocket {
	t.Helper()

	path := filepath.Join(t.TempDir(), "notify")

	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = conn.Close() })

	return notifySocket{conn, path}
}

// await waits for a notification that has all of the texts. Those of the watchdog come in between.
func (n notifySocket) await(t *testing.T, texts ...string) {
	t.Helper()

	if err := n.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}

	for buffer := make([]byte, 4096); ; {
		length, err := n.conn.Read(buffer)
		if err != nil {
			t.Fatalf("no notification has %q: %v", texts, err)
		}

		text := string(buffer[:length])
		if text == "WATCHDOG=1" && texts[0] != text {
			continue
		}

		for _, want := range texts {
			if !strings.Contains(text, want) {
				t.Fatalf("notification %q, want %q", text, want)
			}
		}

		return
	}
}

// activated has a command run as systemd runs a service with sockets, by their names. A shell becomes the command, so that its process
// id is known before.
func activated(cmd *exec.Cmd, names string, sockets ...*os.File) {
	shell := exec.Command("sh", append([]string{"-c", `export LISTEN_PID=$$; exec "$@"`, "sh"}, cmd.Args...)...)
	cmd.Path, cmd.Args, cmd.ExtraFiles = shell.Path, shell.Args, sockets
	cmd.Env = append(os.Environ(), "LISTEN_FDS="+strconv.Itoa(len(sockets)), "LISTEN_FDNAMES="+names)
}

// startActivated runs `portico serve` with sockets and a watchdog.
func startActivated(t *testing.T, notify, config, names string, sockets ...*os.File) *process {
	t.Helper()

	return startPrepared(t, raced, func(cmd *exec.Cmd) {
		activated(cmd, names, sockets...)
		cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+notify, "WATCHDOG_USEC=8000000")
	}, "serve", "--config", config)
}

// fileOf is the socket of a listener, as another process gets it.
func fileOf(t *testing.T, listener net.Listener) *os.File {
	t.Helper()

	with, ok := listener.(interface{ File() (*os.File, error) })
	if !ok {
		t.Fatalf("%T has no file", listener)
	}

	file, err := with.File()
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = file.Close() })

	return file
}

// systemd starts the gateway, keeps its sockets, and is told what it does. What connects while it restarts waits.
func TestServiceOfSystemd(t *testing.T) {
	t.Parallel()

	notify, admin := listenForNotifications(t), filepath.Join(t.TempDir(), "admin")
	file := writeFile(t, "portico.yaml", withoutBackends("server: {address: 'systemd:', drain_delay: 1ms}\nadmin: {address: 'unix:"+admin+
		"'}\nhealth: {address: 'systemd:probes'}\n"))
	clients, probes := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	sockets := []*os.File{fileOf(t, clients), fileOf(t, probes)}

	p := startActivated(t, notify.path, file, "server:probes", sockets...)

	notify.await(t, "READY=1", "STATUS=Serving with configuration ")
	notify.await(t, "WATCHDOG=1")
	want(t, "a request", call(t, http.MethodGet, "http://"+clients.Addr().String()+"/v1/nothing", "", ""), http.StatusNotFound)

	if ready := call(t, http.MethodGet, "http://"+probes.Addr().String()+"/livez", "", ""); ready.status != http.StatusOK {
		t.Errorf("the probe: %d", ready.status)
	}

	p.reloadNotified(t, notify, file)

	p.signal(t, syscall.SIGTERM)
	notify.await(t, "STOPPING=1", "EXTEND_TIMEOUT_USEC=40001000", "STATUS=Draining")

	if _ = p.cmd.Wait(); p.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("exit code %d", p.cmd.ProcessState.ExitCode())
	}

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", clients.Addr().String())
	if err != nil {
		t.Fatalf("while it restarts: %v", err)
	}
	defer conn.Close()

	if _, err := io.WriteString(conn, "GET /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}

	again := startActivated(t, notify.path, file, "server:probes", sockets...)

	notify.await(t, "READY=1")

	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}

	if _ = res.Body.Close(); res.StatusCode != http.StatusNotFound {
		t.Errorf("the one that waited: %s", res.Status)
	}

	if code := again.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// reloadNotified reloads by the signal of ExecReload=, a configuration that is refused and the one before.
func (p *process) reloadNotified(t *testing.T, notify notifySocket, file string) {
	t.Helper()

	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	for _, row := range []struct{ text, status string }{
		{"server: {address: 'systemd:other'}\n", "; the last reload was refused, see the log"},
		{string(before), "STATUS=Serving with configuration "},
	} {
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}

		p.signal(t, syscall.SIGHUP)
		notify.await(t, "RELOADING=1\nMONOTONIC_USEC=")
		notify.await(t, "READY=1", row.status)
	}
}

func TestSocketsThatSystemdDoesNotPass(t *testing.T) {
	t.Parallel()

	file := writeFile(t, "portico.yaml", withoutBackends("server: {address: 'systemd:web'}\nadmin: {address: '-'}\nhealth: {address: '-'}\n"))

	_, errs, code := porticoPrepared(t, func(cmd *exec.Cmd) {
		activated(cmd, "server", fileOf(t, listen(t, "127.0.0.1:0")))
	}, "serve", "--config", file)
	if code != 1 || !strings.Contains(errs, `server.address: systemd has passed no socket named "web" (FileDescriptorName= of the .socket unit), but server`) {
		t.Errorf("exit code %d: %s", code, errs)
	}

	_, errs, code = portico(t, "serve", "--config", file)
	if code != 1 || !strings.Contains(errs, "server.address: systemd has passed no socket; start the service by a .socket unit with FileDescriptorName=web") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

// The units are what systemd takes, with the real binary, and expose as little as a service can that listens and connects.
func TestUnitsOfSystemd(t *testing.T) {
	t.Parallel()

	analyze := programs.Program(t, "install systemd", "systemd-analyze")
	dir := t.TempDir()
	units := make([]string, 0, 2)

	for _, name := range []string{"portico.service", "portico.socket"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "systemd", name))
		if err != nil {
			t.Fatal(err)
		}

		unit := filepath.Join(dir, name)
		units = append(units, unit)

		// What is commented out has to be right as well.
		full := strings.NewReplacer("/usr/local/bin/portico", binary, "\n#LoadCredential", "\nLoadCredential", "\n#Environment", "\nEnvironment").
			Replace(string(text))
		if err := os.WriteFile(unit, []byte(full), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	for _, args := range [][]string{
		append([]string{"verify"}, units...), {"security", "--offline=true", "--threshold=20", units[0]},
	} {
		cmd := exec.CommandContext(t.Context(), analyze, args...)
		// A warning does not fail it.
		if out, err := cmd.CombinedOutput(); err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}
