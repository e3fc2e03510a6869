package command_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Once, a token that was asked for away from the checkout was signed with a key that no gateway knew, and nothing said so.
func TestTokenIsSignedForTheGatewayThatRuns(t *testing.T) {
	t.Parallel()

	// Gateways of other tests are noted elsewhere.
	cache, first, second, elsewhere := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	aside := func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+cache, "PORTICO_DEV_DATA_DIR=")
	}
	token := func(dir string, args ...string) (out, errs string, code int) {
		t.Helper()

		out, errs, code = porticoPrepared(t, func(cmd *exec.Cmd) {
			aside(cmd)
			cmd.Dir = dir
		}, append([]string{"token", "--subject", "alice"}, args...)...)

		return strings.TrimSpace(out), errs, code
	}

	_, errs, code := token(elsewhere)
	if code != 0 || !strings.Contains(errs, "made a new key in "+filepath.Join(elsewhere, ".portico")) {
		t.Errorf("with no gateway: exit %d: %s", code, errs)
	}

	if _, errs, code := token(elsewhere); code != 0 || errs != "" {
		t.Errorf("with a key and no gateway: exit %d: %s", code, errs)
	}

	p := startDevPrepared(t, raced, filepath.Join(first, ".portico"), aside)

	out, errs, code := token(elsewhere)
	if code != 0 || !strings.Contains(errs, filepath.Join(first, ".portico")) || !strings.Contains(errs, strings.TrimPrefix(p.url, "http://")) {
		t.Errorf("with a gateway: exit %d: %s", code, errs)
	}

	want(t, "with the token", call(t, http.MethodGet, p.url+"/v1/me/dashboard", out, ""), http.StatusOK)

	out, errs, code = token(first)
	if code != 0 || errs != "" {
		t.Errorf("beside the gateway: exit %d: %s", code, errs)
	}

	want(t, "with the token", call(t, http.MethodGet, p.url+"/v1/me/dashboard", out, ""), http.StatusOK)

	other := startDevPrepared(t, raced, filepath.Join(second, ".portico"), aside)

	_, errs, code = token(elsewhere)
	for _, want := range []string{"several gateways run", "--data-dir " + filepath.Join(first, ".portico"), other.url[len("http://"):]} {
		if code != 2 || !strings.Contains(errs, want) {
			t.Errorf("with two gateways: exit %d, %q is missing in %s", code, want, errs)
		}
	}

	out, errs, code = token(elsewhere, "--data-dir", filepath.Join(second, ".portico"))
	if code != 0 || errs != "" {
		t.Errorf("with a folder: exit %d: %s", code, errs)
	}

	want(t, "with the token", call(t, http.MethodGet, other.url+"/v1/me/dashboard", out, ""), http.StatusOK)

	// One leaves, one is killed and cannot say so.
	if code := other.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}

	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()

	if _, errs, code := token(elsewhere); code != 0 || errs != "" {
		t.Errorf("with no gateway any more: exit %d: %s", code, errs)
	}

	if noted, err := filepath.Glob(filepath.Join(cache, "portico", "dev", "*")); err != nil || len(noted) > 0 {
		t.Errorf("still noted: %v, %v", noted, err)
	}
}

// A folder that cannot be used for notes is no reason not to run.
func TestDevRunsWithoutAFolderForNotes(t *testing.T) {
	t.Parallel()

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	p := startDevPrepared(t, raced, t.TempDir(), func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+file) },
		"--admin-address", "-")
	if out := p.stdout.String(); !strings.Contains(out, "token --data-dir "+p.dataDir+" --subject bob") {
		t.Errorf("the welcome does not name the data directory: %s", out)
	}

	// Once, it printed "off/dev/backends/order/stop".
	_, stop, _ := strings.Cut(p.stdout.String(), "curl -s -X POST ")
	stop, _, _ = strings.Cut(stop, "\n")

	if p.admin != "off" || !strings.HasPrefix(stop, p.url+"/") {
		t.Fatalf("printed %q with the admin listener %q", stop, p.admin)
	}

	if got := call(t, http.MethodPost, stop, "", ""); got.status != http.StatusOK {
		t.Errorf("%s: %d %s", stop, got.status, got.body)
	}
}
