package command_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const exampleFile = "../../../deploy/portico.example.yaml"

func TestConfigShow(t *testing.T) {
	t.Parallel()

	path := writeFile(t, "portico.yaml", "server:\n  drain_delay: 0s\nredis: {url: 'redis://:hunter2@redis:6379'}\n")
	withLevel := func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "PORTICO_LOG_LEVEL=debug") }

	out, errs, code := porticoPrepared(t, withLevel, "config", "show", "--config", path, "--origin")
	if code != 0 || errs != "" || strings.Contains(out, "hunter2") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}

	for _, want := range []string{
		"  drain_delay: 0s # " + path + ":2:16\n", "  level: debug # PORTICO_LOG_LEVEL\n", "  drain_timeout: 30s # default\n",
		"  url: redis://:xxxxx@redis:6379 # " + path + ":3:14\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}

	hash := regexp.MustCompile(`^# hash ([0-9a-f]{12}), file `).FindStringSubmatch(out)
	if hash == nil {
		t.Fatalf("no hash:\n%.100s", out)
	}

	var shown struct {
		Hash          string
		Configuration struct{ Log struct{ Level string } }
		Origins       map[string]struct{ Variable string }
	}

	out, _, code = porticoPrepared(t, withLevel, "config", "show", "--config", path, "--output", "json", "--origin")
	if err := json.Unmarshal([]byte(out), &shown); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}

	if shown.Hash != hash[1] || shown.Configuration.Log.Level != "debug" || shown.Origins["log.level"].Variable != "PORTICO_LOG_LEVEL" {
		t.Errorf("got %+v", shown)
	}

	// What it prints is a file.
	plain, _, _ := portico(t, "config", "show", "--config", exampleFile)

	again, errs, code := portico(t, "config", "show", "--config", writeFile(t, "again.yaml", plain))
	_, before, _ := strings.Cut(plain, "\n")

	if _, after, _ := strings.Cut(again, "\n"); code != 0 || before != after {
		t.Errorf("exit %d: %s\n%s", code, errs, again)
	}
}

func TestConfigShowRefuses(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		environ string
		want    string
		args    []string
	}{
		{"A=b", ":1:10: server.adress: there is no such setting", []string{"--config", writeFile(t, "portico.yaml", "server: {adress: x}\n")}},
		{"PORTICO_SERVER_ADRESS=:1", `PORTICO_SERVER_ADRESS: there is no such variable; did you mean "PORTICO_SERVER_ADDRESS"?`, nil},
		{"A=b", "--output: ", []string{"--output", "table"}},
	} {
		_, errs, code := porticoPrepared(t, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, row.environ) },
			append([]string{"config", "show"}, row.args...)...)
		if code != 2 || !strings.Contains(errs, row.want) {
			t.Errorf("exit %d: %s", code, errs)
		}
	}
}

// The schema accepts what the gateway accepts, and refuses what it refuses.
func TestConfigSchema(t *testing.T) {
	t.Parallel()

	out, errs, code := portico(t, "config", "schema")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}

	document, err := jsonschema.UnmarshalJSON(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}

	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("portico.schema.json", document); err != nil {
		t.Fatal(err)
	}

	schema, err := compiler.Compile("portico.schema.json")
	if err != nil {
		t.Fatal(err)
	}

	validate := func(text string) error {
		var file any
		if err := yaml.Unmarshal([]byte(text), &file); err != nil {
			t.Fatal(err)
		}

		asJSON, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}

		value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
		if err != nil {
			t.Fatal(err)
		}

		return schema.Validate(value)
	}

	example, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}

	uncommented := regexp.MustCompile(`(?m)^( +)# ( *(?:[a-z_]+:|- \{|#).*)$`).ReplaceAllString(string(example), "$1$2")
	shown, _, _ := portico(t, "config", "show", "--config", exampleFile)
	defaults, _, _ := portico(t, "config", "show")

	for name, text := range map[string]string{
		"the example": string(example), "the example without comments": uncommented, "what is shown of it": shown, "the defaults": defaults,
		"empty sections": "server:\nupstreams:\n  user:\n", "no delay": "server: {drain_delay: 0s}\n", "minutes": "server: {idle_timeout: 1m30s}\n",
	} {
		if err := validate(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	for _, text := range []string{
		"server: {adress: x}", "served: {}", "server: {drain_delay: 4}", "server: {drain_delay: 4d}", "server: {drain_delay: -4s}",
		"log: {level: INFO}", "overload: {max_in_flight: 0}", "limits: {max_keys: many}", "server: {max_header_bytes: 1.5}",
		"upstreams: {user: {addresses: x}}", "upstreams: {user: {breaker: {failure_ratio: 2}}}", "auth: {issuers: {issuer: x}}",
		"auth: {issuers: [{algorithms: [HS256]}]}", "redis: []",
	} {
		if err := validate(text); err == nil {
			t.Errorf("%s is valid", text)
		}

		if _, _, code := portico(t, "check", "--config", writeFile(t, "portico.yaml", text)); code == 0 {
			t.Errorf("%s is accepted", text)
		}
	}
}

func TestAdminConfiguration(t *testing.T) {
	t.Parallel()

	path := writeFile(t, "portico.yaml", `
auth: {disabled: true}
upstreams:
  user: {addresses: ["127.0.0.1:1"]}
  order: {addresses: ["127.0.0.1:1"]}
  profile: {addresses: ["127.0.0.1:1"]}
  payment: {addresses: ["127.0.0.1:1"]}
  notification: {addresses: ["127.0.0.1:1"]}
`)
	gateway := startServe(t, path)
	admin := "http://" + regexp.MustCompile(`"admin":"([^"]+)"`).FindStringSubmatch(gateway.stderr.String())[1]

	var shown struct {
		File          string
		Configuration struct{ Auth struct{ Disabled bool } }
		Origins       map[string]struct {
			Line     int
			Variable string
		}
	}

	decode(t, call(t, http.MethodGet, admin+"/config", "", "").body, &shown)

	if shown.File != path || !shown.Configuration.Auth.Disabled || shown.Origins["auth.disabled"].Line != 2 ||
		shown.Origins["server.address"].Variable != "PORTICO_SERVER_ADDRESS" {
		t.Errorf("got %+v", shown)
	}

	r, err := http.NewRequest(http.MethodGet, admin+"/config", nil)
	if err != nil {
		t.Fatal(err)
	}

	r.Header.Set("Accept", "application/yaml")

	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()

	var file map[string]any
	if err := yaml.NewDecoder(response.Body).Decode(&file); err != nil || file["upstreams"] == nil {
		t.Errorf("got %v, %v", file, err)
	}

	if got := call(t, http.MethodPost, admin+"/config", "", "").status; got != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d", got)
	}
}
