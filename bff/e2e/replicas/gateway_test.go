package replicas_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// gateway is a process of the command that can be started again at the same addresses.
type gateway struct {
	host, file string
	// lives is the test that it lives as long as.
	lives *testing.T

	cmd *exec.Cmd
	log *gatewaytest.LogBuffer
	// ended is closed when the process has.
	ended chan struct{}
}

func (g *gateway) start(t *testing.T) {
	t.Helper()

	cmd, log, ended := exec.Command(binary, "serve", "--watch=false", "--config", g.file), &gatewaytest.LogBuffer{}, make(chan struct{})
	cmd.Stderr = log

	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	go func() {
		defer close(ended)

		_ = cmd.Wait()
	}()

	g.cmd, g.log, g.ended = cmd, log, ended

	g.lives.Cleanup(func() {
		_ = cmd.Process.Kill() // It may have ended.
		<-ended

		if g.lives.Failed() {
			g.lives.Logf("log of %s:\n%s", g.host, warnings(log.String()))
		}
	})
}

// warnings are the lines that are not about requests that succeeded.
func warnings(log string) string {
	var out strings.Builder

	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"level":"INFO","msg":"request"`) {
			out.WriteString(line)
		}
	}

	return out.String()
}

func (g *gateway) configuration(t *testing.T) string {
	t.Helper()

	text, err := os.ReadFile(g.file)
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}

func (g *gateway) awaitReady(t *testing.T) {
	t.Helper()

	gatewaytest.Eventually(t, "the gateway listening", func() bool {
		if g.hasEnded() {
			t.Fatalf("it does not start: %s", g.log)
		}

		return g.lines(`"msg":"listening"`) == 1
	})
}

func (g *gateway) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()

	if err := g.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

func (g *gateway) hasEnded() bool {
	select {
	case <-g.ended:
		return true
	default:
		return false
	}
}

// lines counts the lines of the log with a text.
func (g *gateway) lines(text string) (count int) {
	for line := range strings.Lines(g.log.String()) {
		if strings.Contains(line, text) {
			count++
		}
	}

	return count
}

// refuses reports whether it takes no more connections.
func (g *gateway) refuses() bool {
	conn, err := net.Dial("tcp", g.host+":8080")
	if err == nil {
		_ = conn.Close()
	}

	return err != nil
}
