package main_test

import (
	"flag"
	"net"
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
		"unknown_keys":  {write("a", "server:\n  adress: x\nlogs: {}\n"), []string{"line 2", "adress", "line 3", "logs"}},
		"all_at_once":   {write("b", "log: {level: loud}\nserver: {address: x}\n"), []string{"log.level", "server.address", "auth: needs issuers"}},
		"no_such_file":  {filepath.Join(dir, "none"), []string{"none"}},
		"few_upstreams": {write("d", "auth: {disabled: true}\n"), []string{`upstream "order" is not configured`}},
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
