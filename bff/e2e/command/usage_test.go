package command_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Every fault of the command line ends with exit code 2, says what is wrong in the words of the command line, and what to run next:
// the program as it was called.
func TestFaultsOfTheCommandLine(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"rout"}, `unknown command "rout"`},
		{[]string{"routes", "extra"}, `"extra" is too much`},
		{[]string{"routes", "--ouptut", "json"}, `unknown flag: --ouptut; did you mean "--output"?`},
		{[]string{"routes", "-o", "json"}, `unknown flag: -o; did you mean "--output"?`},
		{[]string{"token", "--sub", "alice"}, `unknown flag: --sub; did you mean "--subject"?`},
		{[]string{"lint", "--configuration", "x"}, `unknown flag: --configuration; did you mean "--grpc-api-configuration"?`},
		{[]string{"routes", "--output", "yaml"}, `--output: "yaml": must be table or json`},
		{[]string{"routes", "--output"}, "--output needs a value"},
		{[]string{"check", "portico.yaml"}, "did you mean --config portico.yaml?"},
		{[]string{"dev", "--mock", "nope"}, "--mock nope: there is no such service"},
		{[]string{"dev", "--mock", "all,nope"}, "--mock nope: there is no such service"},
		{[]string{"dev", "--mock", "order.v1.OrdrService"}, `did you mean "order.v1.OrderService"?`},
		{[]string{"dev", "--backend-port", "x"}, `--backend-port: "x" is not a whole number`},
		{[]string{"dev", "--backend-port", "65534"}, "--backend-port: must be from 1 to 655"},
		{[]string{"dev", "--backend-port", "-1"}, "--backend-port: must be from 1 to 655"},
		{[]string{"dev", "--address", "8080"}, `--address: "8080" is not host:port`},
		{[]string{"dev", "--address", ":70000"}, `--address: ":70000" is not host:port`},
		{[]string{"dev", "--admin-address", "localhost"}, `--admin-address: "localhost" is not host:port`},
		{[]string{"dev", "--openid-address", "8084"}, `--openid-address: "8084" is not host:port`},
		{[]string{"dev", "--openid-token-lifetime", "1ms"}, "--openid-token-lifetime: must be at least 1s"},
		{[]string{"new", "servce", "x"}, `new does not know "servce"; did you mean "service"?`},
		{[]string{"new", "service"}, "NAME is missing"},
		{[]string{"new", "service", "a", "b"}, `"b" is too much`},
		{[]string{"new", "service", "Cat-alog"}, "try catalog --resource CatAlog"},
		{[]string{"new", "service", "catalog", "--resource", "bad_name"}, "like LoyaltyCard"},
		{[]string{"new", "service", "catalog", "--dir", "/nonexistent"}, "--dir \"/nonexistent\": there is no such folder"},
		{[]string{"new", "composite"}, "NAME is missing"},
		{[]string{"new", "composite", "inbox", "--dir", "../../.."}, "--over: name the upstreams or services that it calls, such as --over user,order"},
		{[]string{"new", "composite", "inbox", "--dir", "../../..", "--over", "usr"}, `did you mean "user"?`},
		{[]string{"new", "composite", "orderpage", "--over", "user", "--dir", "/nonexistent"}, "--dir \"/nonexistent\": there is no such folder"},
		{[]string{"new", "service", "catalog", "--dry-run=maybe"}, `--dry-run: "maybe" is not true or false`},
		{[]string{"token"}, "--subject is needed"},
		{[]string{"token", "--subject", ""}, "--subject must not be empty"},
		{[]string{"token", "--subject", "alice", "--ttl", "-1h"}, "--ttl: must be at least 1s"},
		{[]string{"token", "--subject", "alice", "--ttl", "60"}, `--ttl: "60" is not a duration, such as 500ms, 4s or 1h30m; write 60s`},
		{[]string{"token", "--subject", "alice", "--ttl", "1d"}, "a day is 24h"},
		{[]string{"token", "--subject", "alice", "--scope", `a"b`}, "--scope: "},
		{[]string{"apikey", "nww"}, `did you mean "new"?`},
		{[]string{"apikey", "new"}, "--subject is needed"},
		{[]string{"apikey", "new", "--subject", "ü"}, "subject: must be 1 to 255"},
		{[]string{"apikey", "new", "--subject", "a", "--expires-in", "-1h"}, "--expires-in: must not be negative"},
		{[]string{"explain"}, "METHOD and PATH are missing"},
		{[]string{"explain", "GET"}, "PATH is missing"},
		{[]string{"explain", "/v1/orders"}, "METHOD comes first"},
		{[]string{"explain", "GET", "/v1/orders", "x"}, `"x" is too much`},
		{[]string{"explain", "G T", "/v1/orders"}, `METHOD: "G T" is not a method`},
		{[]string{"explain", "GET", "nowhere"}, `PATH: "nowhere" is not a path`},
		{[]string{"explain", "GET", "/", "--header", "x"}, `"x" is not "Name: value"`},
		{[]string{"explain", "GET", "/", "--header", "a b: c"}, `"a b: c" is not "Name: value"`},
		{[]string{"explain", "POST", "/v1/orders", "--data", "@"}, "--data: @ needs the name of a file"},
		{[]string{"explain", "POST", "/v1/orders", "--data", "@no_such_file"}, "--data: open no_such_file"},
		{[]string{"breaking"}, "--against is needed"},
		{[]string{"breaking", "../../../proto", "--against", "no_such_revision"}, `--against: "no_such_revision" is not a revision of the Git repository`},
		{[]string{"explain", "GET", "/v1/%zz"}, `PATH: "/v1/%zz" has "%zz", which is not a percent-encoding`},
		{[]string{"breaking", "a", "b", "--against", "x"}, `"b" is too much`},
		{[]string{"completion", "tcsh"}, "It knows: bash, fish, powershell, zsh"},
		{[]string{"help", "nope"}, `there is no command "nope"`},
	} {
		out, errs, code := portico(t, row.args...)
		if code != 2 || out != "" || !strings.Contains(errs, row.want) {
			t.Errorf("%q: exit %d, %q does not say %q", row.args, code, errs, row.want)
		}

		if !strings.Contains(errs, `Run "`+binary+" ") || !strings.Contains(errs, ` --help" for usage`) {
			t.Errorf("%q does not say what to run next: %s", row.args, errs)
		}

		for _, jargon := range []string{"strconv", " time: ", "arg(s)", "flag(s)", "parse \"", "net/http"} {
			if strings.Contains(errs, jargon) {
				t.Errorf("%q speaks of %q: %s", row.args, jargon, errs)
			}
		}
	}
}

func TestExplainReadsTheBodyFromStandardInput(t *testing.T) {
	t.Parallel()

	body := `{"items": [{"sku": "TEA-1", "title": "Tea", "quantity": 1, "unitPrice": {"currencyCode": "EUR", "units": "4"}}]}`
	out, errs, code := porticoPrepared(t, func(cmd *exec.Cmd) { cmd.Stdin = strings.NewReader(body) },
		"explain", "POST", "/v1/orders", "--as", "alice", "--data", "@-", "--output", "json")

	var found struct {
		Allowed bool
		Request struct{ Items []struct{ Sku string } }
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != 0 || !found.Allowed || len(found.Request.Items) != 1 ||
		found.Request.Items[0].Sku != "TEA-1" {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()

	out, errs, code := portico(t, "version", "--output", "json")

	var found struct{ Module, Version, Go, Platform string }
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != 0 || errs != "" || found.Version == "" ||
		!strings.HasPrefix(found.Module, "github.com/") || !strings.HasPrefix(found.Go, "go1.") || !strings.Contains(found.Platform, "/") {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}

	out, errs, code = portico(t, "version")
	for _, want := range []string{"version ", "module ", "revision ", "go "} {
		if code != 0 || errs != "" || !strings.Contains(out, want) {
			t.Errorf("exit %d, %q is missing in %s%s", code, want, out, errs)
		}
	}
}

// Examples and hints can be typed as they are printed.
func TestHelpNamesTheProgramAsItWasCalled(t *testing.T) {
	t.Parallel()

	for _, args := range [][]string{{"--help"}, {"explain", "--help"}, {"new", "service", "--help"}, {"completion", "bash", "--help"}} {
		out, _, code := portico(t, args...)
		if code != 0 || !strings.Contains(out, binary+" ") {
			t.Errorf("%q: exit %d: %s", args, code, out)
		}

		for line := range strings.Lines(out) {
			if strings.HasPrefix(strings.TrimSpace(line), "portico ") {
				t.Errorf("%q has the line %q", args, line)
			}
		}
	}
}

// Once, a folder with a key was made before the command line was looked at.
func TestFaultsOfTheCommandLineLeaveNothing(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()

	_, errs, code := porticoPrepared(t, func(cmd *exec.Cmd) {
		cmd.Dir = dir
		cmd.Env = append(cmd.Env, "PORTICO_DEV_DATA_DIR=")
	}, "dev", "--mock", "nope")
	if entries, err := os.ReadDir(dir); code != 2 || err != nil || len(entries) > 0 {
		t.Errorf("exit %d, %v: there is %v: %s", code, err, entries, errs)
	}
}
