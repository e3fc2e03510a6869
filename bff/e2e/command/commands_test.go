package command_test

import (
	"encoding/json"
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The table of routes is what a team reads to see what is served and under which policy. Only some services are compared, so that
// others can follow.
func TestRoutes(t *testing.T) {
	t.Parallel()

	out, errs, code := portico(t, "routes")
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}

	var lines []string

	for line := range strings.Lines(out) {
		// The columns are as wide as all routes need.
		line = strings.Join(strings.Fields(line), " ")
		if strings.HasPrefix(line, "METHOD") || slices.ContainsFunc(comparedServices(), func(name string) bool {
			return strings.Contains(line, " "+name+"/")
		}) {
			lines = append(lines, line)
		}
	}

	golden(t, "routes.txt", strings.Join(lines, "\n")+"\n")
}

func comparedServices() []string {
	return []string{"dashboard.v1.DashboardService", "order.v1.OrderService", "profile.v1.ProfileService"}
}

func TestCheck(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()

		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		return path
	}

	out, errs, code := portico(t, "check", "--config", "../../../deploy/portico.example.yaml")
	if code != 0 || !strings.HasPrefix(out, "ok: ") {
		t.Errorf("the example: exit %d: %s%s", code, out, errs)
	}

	for name, row := range map[string]struct {
		path string
		want []string
	}{
		"unknown_keys":  {write("a", "server:\n  adress: x\nlogs: {}\n"), []string{":2:3: server.adress", ":3:1: logs"}},
		"all_at_once":   {write("b", "log: {level: loud}\nserver: {address: x}\n"), []string{"log.level", "server.address", "auth: needs issuers"}},
		"no_such_file":  {filepath.Join(dir, "none"), []string{"none"}},
		"few_upstreams": {write("d", "auth: {disabled: true}\n"), []string{"upstreams.order: is not configured"}},
	} {
		_, errs, code := portico(t, "check", "--config", row.path)
		if code != 1 {
			t.Errorf("%s: exit %d", name, code)
		}

		for _, want := range row.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%s does not speak of %q: %s", name, want, errs)
			}
		}
	}
}

func TestTakenPortIsAnErrorThatSaysSo(t *testing.T) {
	t.Parallel()

	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()

	_, port, _ := net.SplitHostPort(taken.Addr().String())

	_, errs, code := portico(t, "dev", "--data-dir", t.TempDir(), "--backend-port", port)
	if code != 1 || !strings.Contains(errs, port) || !strings.Contains(errs, "address already in use") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()

	for _, args := range [][]string{
		{"--help"},
		{"serve", "--help"},
		{"dev", "--help"},
		{"token", "--help"},
		{"check", "--help"},
		{"apikey"},
		{"new"},
		{"completion"},
		{"apikey", "new", "--help"},
		{"explain", "--help"},
	} {
		out, errs, code := portico(t, args...)
		if code != 0 || errs != "" || !strings.Contains(out, "Usage:") {
			t.Errorf("%v: exit %d: %s%s", args, code, out, errs)
		}
	}

	for _, args := range [][]string{
		{"serv"}, {"serve", "x"}, {"token"}, {"dev", "--prot"}, {"apikey", "old"}, {"apikey", "new"}, {"explain", "GET"},
	} {
		if _, errs, code := portico(t, args...); code != 2 || !strings.HasPrefix(errs, "portico: ") {
			t.Errorf("%v: exit %d: %s", args, code, errs)
		}
	}
}

// Once, there were tokens and explanations for callers that no gateway lets in.
func TestCallersThatBackendsCannotBeToldOfAreUsageErrors(t *testing.T) {
	t.Parallel()

	config := writeFile(t, "portico.yaml", "auth: {disabled: true}\nupstreams: {user: {addresses: [\"127.0.0.1:1\"]}}\n")

	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"token_for_zoe":       {[]string{"token", "--data-dir", t.TempDir(), "--subject", "Zoë"}, "subject: must be 1 to 255"},
		"token_with_scope":    {[]string{"token", "--data-dir", t.TempDir(), "--subject", "a", "--scope", "läsa"}, "scopes: must be"},
		"token_for_no_time":   {[]string{"token", "--data-dir", t.TempDir(), "--subject", "a", "--ttl", "0"}, "must be at least 1s"},
		"explanation_for_zoe": {[]string{"explain", "--config", config, "--as", "Zoë", "GET", "/v1/users/a"}, "subject: must be 1 to 255"},
		"explanation_tenant":  {[]string{"explain", "--config", config, "--as", "a", "--tenant", "Köln", "GET", "/v1/users/a"}, "tenant: must be"},
	} {
		out, errs, code := portico(t, row.args...)
		if code != 2 || out != "" || !strings.Contains(errs, row.want) {
			t.Errorf("%s: exit %d, %q: %s", name, code, out, errs)
		}
	}
}

// Once, the page handed out tokens that the API beside it refused.
func TestDevTokenIsOneThatTheAPIAccepts(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())

	for _, query := range []string{"subject=Zo%C3%AB", "subject=a&scope=l%C3%A4sa", "subject=a&tenant=x", "subject=+a"} {
		if got := call(t, http.MethodGet, p.url+"/dev/token?"+query, "", ""); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}

	var got struct{ Token string }

	res := call(t, http.MethodGet, p.url+"/dev/token?subject=Ada+Lovelace&scope=users:admin", "", "")
	if err := json.Unmarshal([]byte(res.body), &got); err != nil {
		t.Fatalf("%v in %s", err, res.body)
	}

	if res := call(t, http.MethodGet, p.url+"/v1/users/alice", got.Token, ""); res.status != http.StatusOK {
		t.Errorf("%d %s", res.status, res.body)
	}
}
