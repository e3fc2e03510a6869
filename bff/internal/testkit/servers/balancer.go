package servers

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

// Balance starts HAProxy with a configuration of the test's own, which has at least one listener. It returns when HAProxy serves
// requests.
func Balance(tb testing.TB, configuration string) *Proxy {
	tb.Helper()

	const ready = `
frontend ready
	mode http
	timeout client 15m
	bind unix@{{dir}}/ready
	http-request return status 204
`
	dir := tb.TempDir()
	file, own := filepath.Join(dir, "proxy.conf"), filepath.Join(dir, "ready.conf")
	writeFile(tb, file, configuration)
	writeFile(tb, own, strings.ReplaceAll(ready, "{{dir}}", dir))

	path := programs.Program(tb, "install haproxy", "haproxy", "/usr/sbin/haproxy")
	process := run(tb, exec.Command(path, "-db", "-f", file, "-f", own), func() {})
	tb.Cleanup(process.stop)

	if !process.awaitReady(tb, filepath.Join(dir, "ready")) {
		tb.Fatalf("%s does not start: %s", path, process.stderr.String())
	}

	return &Proxy{process: process, quit: syscall.SIGUSR1}
}
