package command_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

// The program that docs/clients.md names compiles under strict settings and does what it says, also without an optional backend.
func TestTypeScriptExample(t *testing.T) {
	t.Parallel()

	npm, node := programs.Program(t, "install npm and nodejs", "npm"), programs.Program(t, "install npm and nodejs", "node")
	// A profile from the cache would hide that its backend has stopped.
	config := writeFile(t, "portico.yaml", "cache: {disabled: true}\n")
	p := startDevPrepared(t, raced, t.TempDir(), func(*exec.Cmd) {}, "--config", config)
	example := func(command ...string) string {
		t.Helper()

		return inRoot(t, []string{"GATEWAY_URL=" + p.url, "GATEWAY_TOKEN=" + p.token(t, "alice")}, command[0], command[1:]...)
	}

	const rest = `refused: INVALID_ARGUMENT
  items\[0\]\.quantity: must be .+
order (ord_\w+) at /v1/orders/ord_\w+, sent twice, placed once
  change 1: ORDER_STATUS_PENDING
  change 2: ORDER_STATUS_CANCELLED
the order's stream has ended
a wrong token: UNAUTHENTICATED, .+
`

	if got := example(npm, "--prefix", "web", "run", "--silent", "example"); !regexp.MustCompile(`^dashboard of Alice Adler: 3 orders\n` + rest + `$`).MatchString(got) {
		t.Errorf("it printed:\n%s", got)
	}

	want(t, "stop", call(t, http.MethodPost, p.admin+"/dev/backends/profile/stop", "", ""), http.StatusOK)

	degraded := regexp.MustCompile(`^dashboard of Alice Adler: 3 orders\n  without profile: UNAVAILABLE \(.+\)\n` + rest + `$`)
	// It is compiled already.
	if got := example(node, "web/build/example/docs/examples/typescript/dashboard.js"); !degraded.MatchString(got) {
		t.Errorf("without profile it printed:\n%s", got)
	}
}

// inRoot runs a command to its end in the root of the repository and returns what it printed. The test ends here if it fails.
func inRoot(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()

	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), env...)

	var stderr bytes.Buffer

	cmd.Stderr = &stderr

	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, &stderr)
	}

	return string(out)
}
