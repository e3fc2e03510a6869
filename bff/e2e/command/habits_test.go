package command_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()

	lacking := filepath.Join(t.TempDir(), "lacking.yaml")
	if err := os.WriteFile(lacking, []byte("auth: {disabled: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	noCertificate := filepath.Join(t.TempDir(), "tls.yaml")
	if err := os.WriteFile(noCertificate, []byte("auth: {disabled: true}\nserver: {tls: {cert_file: no_such.crt, key_file: k}}\n"),
		0o600); err != nil {
		t.Fatal(err)
	}

	for _, row := range []struct {
		args []string
		code int
		// want is what standard error says.
		want []string
	}{
		{[]string{"routes"}, 0, nil},
		{[]string{"serve", "--config", lacking}, 2, []string{"upstreams.user: is not configured", "upstreams.order: is not", "portico.example.yaml"}},
		{[]string{"serve", "--config", noCertificate}, 2, []string{":2:27: server.tls.cert_file: open no_such.crt", "server.tls.key_file: open k", "upstreams.user: is", "has every setting"}},
		{[]string{"check", "--config", lacking}, 1, []string{"upstreams.user: is not configured"}},
		{[]string{"routes", "--config", "habits_test.go"}, 2, []string{"habits_test.go:"}},
		{[]string{"explain", "GET", "/v1/users/alice"}, 1, []string{"the request would be refused"}},
		{[]string{"routes", "--config", "no_such_file"}, 2, []string{"no_such_file", "portico.example.yaml"}},
		{[]string{"serve", "--config", "no_such_file"}, 2, []string{"no_such_file", "portico.example.yaml"}},
		{[]string{"check", "--config", "no_such_file"}, 1, []string{"no_such_file"}},
	} {
		_, errs, code := portico(t, row.args...)
		if code != row.code {
			t.Errorf("%q: exit %d: %s", row.args, code, errs)
		}

		for _, want := range row.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%q does not say %q: %s", row.args, want, errs)
			}
		}
	}
}

// Every command has an example and tells of its flags.
func TestEveryCommandHasAnExample(t *testing.T) {
	t.Parallel()

	for _, name := range []string{
		"", "serve", "dev", "token", "apikey", "apikey new", "routes", "explain", "lint", "breaking", "check", "new", "new service",
		"new composite", "version",
	} {
		out, errs, code := portico(t, append(strings.Fields(name), "--help")...)
		if code != 0 || errs != "" || !strings.Contains(out, "Examples:\n") {
			t.Errorf("portico %s: exit %d: %s%s", name, code, out, errs)
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()

	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out, errs, code := portico(t, "completion", shell); code != 0 || !strings.Contains(out, "portico") {
			t.Errorf("%s: exit %d: %s", shell, code, errs)
		}
	}

	for _, row := range []struct {
		args []string
		want []string
	}{
		{[]string{"explain", ""}, []string{"DELETE", "GET", "PATCH", "POST", "PUT", ":4"}},
		{[]string{"explain", "GET", "/v1/me"}, []string{"/v1/me/dashboard\tdashboard.v1.DashboardService/GetMyDashboard", ":4"}},
		{[]string{"routes", "--output", ""}, []string{"table", "json", ":4"}},
		{[]string{"lint", ""}, []string{":16"}},
		{[]string{"serve", "--config", ""}, []string{"yaml", "yml", ":8"}},
	} {
		out, _, code := portico(t, append([]string{"__complete"}, row.args...)...)
		if got := strings.TrimSpace(out); code != 0 || got != strings.Join(row.want, "\n") {
			t.Errorf("%q: exit %d: %q", row.args, code, got)
		}
	}
}

// On a terminal there are colours, unless the user does not want them; into a pipe there are none.
func TestColours(t *testing.T) {
	t.Parallel()

	if out, _, _ := portico(t, "routes"); strings.Contains(out, "\x1b[") {
		t.Errorf("colours in a pipe: %q", out)
	}

	script := programs.Program(t, "install bsdutils, whose script makes a terminal", "script")

	onTerminal := func(env ...string) string {
		cmd := exec.Command(script, "--quiet", "--return", "--command", binary+" explain GET /v1/me/dashboard --as alice", "/dev/null")
		cmd.Env = append(cmd.Environ(), append([]string{"TERM=xterm", "NO_COLOR="}, env...)...)

		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}

		return string(out)
	}

	if out := onTerminal(); !strings.Contains(out, "\x1b[32m") {
		t.Errorf("no colours on a terminal: %q", out)
	}

	for _, env := range []string{"NO_COLOR=1", "TERM=dumb"} {
		if out := onTerminal(env); strings.Contains(out, "\x1b[") || !strings.Contains(out, "allowed") {
			t.Errorf("colours with %s: %q", env, out)
		}
	}
}

func TestSecretsAsJSON(t *testing.T) {
	t.Parallel()

	out, errs, code := portico(t, "token", "--subject", "alice", "--ttl", "1h", "--data-dir", t.TempDir(), "--output", "json")

	var token struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(out), &token); err != nil || code != 0 || token.AccessToken == "" || token.TokenType != "Bearer" ||
		token.ExpiresIn != 3600 {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}

	out, errs, code = portico(t, "apikey", "new", "--subject", "svc-mail", "--output", "json")

	var key struct{ Key, ID, Subject, Expires string }
	if err := json.Unmarshal([]byte(out), &key); err != nil || code != 0 || !strings.HasPrefix(key.Key, "ptk_") || key.Subject != "svc-mail" ||
		key.Expires != "" || !strings.Contains(key.Key, key.ID) {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}
}
