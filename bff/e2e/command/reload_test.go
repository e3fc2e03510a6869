package command_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// mounted is a folder with a configuration as Kubernetes mounts one: the file is a symbolic link into a folder behind another link,
// which is replaced.
type mounted struct{ dir, file string }

func mount(t *testing.T, text string) mounted {
	t.Helper()

	dir := t.TempDir()
	m := mounted{dir: dir, file: filepath.Join(dir, "portico.yaml")}
	m.replace(t, text)

	if err := os.Symlink(filepath.Join("..data", "portico.yaml"), m.file); err != nil {
		t.Fatal(err)
	}

	return m
}

func (m mounted) replace(t *testing.T, text string) {
	t.Helper()

	version, err := os.MkdirTemp(m.dir, "..version") //nolint:usetesting // It is beside the link, as in Kubernetes.
	if err != nil {
		t.Fatal(err)
	}

	next := filepath.Join(m.dir, "..data_tmp")

	if err := os.WriteFile(filepath.Join(version, "portico.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	if err := os.Symlink(filepath.Base(version), next); err != nil {
		t.Fatal(err)
	}

	if err := os.Rename(next, filepath.Join(m.dir, "..data")); err != nil {
		t.Fatal(err)
	}
}

// adminOf is where `portico serve` listens for operators.
var adminOf = regexp.MustCompile(`"admin":"([^"]+)"`)

// startHash is the hash of the configuration in the line of the start.
var startHash = regexp.MustCompile(`"msg":"listening",.*"hash":"([0-9a-f]{12})"`)

// credential is that of operators, which operators configures.
const (
	credential = "an operator of the tests"
	operators  = "admin: {credential: " + credential + "}\n"
)

// startMounted serves what is mounted.
func startMounted(t *testing.T, m mounted, flags ...string) *process {
	t.Helper()

	p := start(t, raced, append([]string{"serve", "--config", m.file}, flags...)...)
	eventually(t, "the gateway listening", func() bool { return listening.MatchString(p.stderr.String()) })
	p.url = "http://" + listening.FindStringSubmatch(p.stderr.String())[1]
	p.admin = "http://" + adminOf.FindStringSubmatch(p.stderr.String())[1]

	return p
}

// lines is how many lines of the log have all of the texts.
func (p *process) lines(texts ...string) int {
	n := 0

	for line := range strings.Lines(p.stderr.String()) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}

		if all {
			n++
		}
	}

	return n
}

const (
	reloadedLine = `"msg":"configuration reloaded"`
	refusedLine  = `"msg":"configuration refused; the one before stays in use"`
)

// An operator changes the configuration of a gateway that runs: by the file, by a signal, and by the admin listener.
func TestReloadOfTheBinary(t *testing.T) {
	t.Parallel()

	dev := startDev(t, t.TempDir())
	base := dev.upstreams(t) + operators + "auth:\n  issuers:\n    - issuer: https://dev.portico.invalid\n      audiences: [portico]\n" +
		"      jwks_file: " + filepath.Join(dev.dataDir, "dev-issuer.jwks.json") + "\n"
	files := mount(t, base)
	gateway := startMounted(t, files)
	token := dev.token(t, "alice")

	first := call(t, http.MethodGet, gateway.admin+"/readyz?verbose", "", "").body
	if hash := startHash.FindStringSubmatch(gateway.stderr.String()); hash == nil || !strings.Contains(first, hash[1]) {
		t.Errorf("the start line has the hash %q, readiness says %s", hash, first)
	}

	allowed := func() string {
		res := want(t, "a request", call(t, http.MethodGet, gateway.url+"/v1/users/alice", token, ""), http.StatusOK)

		return res.header.Get("Server-Timing")
	}
	if allowed() != "" {
		t.Error("there is Server-Timing before it is turned on")
	}

	files.replace(t, base+"server: {server_timing: true}\n")
	eventually(t, "the reload by the file", func() bool {
		return gateway.lines(reloadedLine, `"trigger":"file"`, `"changed":["server.server_timing"]`) == 1
	})

	if allowed() == "" {
		t.Error("there is no Server-Timing after it was turned on")
	}

	files.replace(t, base+"server: {server_timing: false}\nlimits: {client: {requests: many}}\n"+
		"metrics: {native_histograms: true}\n"+
		"policies: [{selector: none.v1.*, set: {timeout: 1s}}]\n")
	eventually(t, "the refusal of all that is wrong", func() bool {
		return gateway.lines(refusedLine, `"trigger":"file"`, "portico.yaml:", ": limits.client.requests: ",
			": metrics.native_histograms: cannot change", ": policies[0].selector: ") == 1
	})

	if allowed() == "" {
		t.Error("a refused configuration took effect")
	}

	if successful := gateway.metric(t, "portico_config_last_reload_successful"); successful != 0 {
		t.Errorf("last reload successful: %v", successful)
	}

	ready := want(t, "readiness", call(t, http.MethodGet, gateway.admin+"/readyz?verbose", "", ""), http.StatusOK)
	if !strings.Contains(ready.body, "limits.client.requests") {
		t.Errorf("readiness says %s", ready.body)
	}

	gateway.signal(t, syscall.SIGHUP)
	eventually(t, "another refusal", func() bool { return gateway.lines(refusedLine, `"trigger":"SIGHUP"`) == 1 })

	if res := call(t, http.MethodPost, gateway.admin+"/reload", "", ""); res.status != http.StatusUnauthorized {
		t.Errorf("POST /reload without the credential: %d %s", res.status, res.body)
	}

	refused := call(t, http.MethodPost, gateway.admin+"/reload", credential, "")
	if refused.status != http.StatusUnprocessableEntity || strings.Count(refused.body, "portico.yaml:") != 3 {
		t.Errorf("POST /reload: %d %s", refused.status, refused.body)
	}

	files.replace(t, base+"log: {level: error}\n")
	eventually(t, "the last reload", func() bool { return gateway.metric(t, "portico_config_last_reload_successful") == 1 })

	// What cannot be read is refused as well, until it is back.
	for successful, names := range [][2]string{{files.file, files.file + ".away"}, {files.file + ".away", files.file}} {
		if err := os.Rename(names[0], names[1]); err != nil {
			t.Fatal(err)
		}

		eventually(t, "the file being noticed", func() bool {
			return gateway.metric(t, "portico_config_last_reload_successful") == float64(successful)
		})
	}

	before := gateway.lines(`"msg":"request"`)
	if allowed() != "" {
		t.Error("there is Server-Timing after it was turned off")
	}

	accepted := want(t, "POST /reload", call(t, http.MethodPost, gateway.admin+"/reload", credential, ""), http.StatusOK)
	if !strings.Contains(accepted.body, `"hash":"`) {
		t.Errorf("%s", accepted.body)
	}

	if res := call(t, http.MethodGet, gateway.admin+"/reload", "", ""); res.status != http.StatusMethodNotAllowed {
		t.Errorf("GET /reload: %d", res.status)
	}

	if code := gateway.stop(t); code != 0 || gateway.lines(`"msg":"request"`) != before {
		t.Errorf("exit code %d, %d lines about requests at the level error", code, gateway.lines(`"msg":"request"`)-before)
	}
}

func TestFileIsNotWatched(t *testing.T) {
	t.Parallel()

	dev := startDev(t, t.TempDir())
	base := dev.upstreams(t) + "auth: {disabled: true}\n"
	files := mount(t, base)
	gateway := startMounted(t, files, "--watch=false")

	files.replace(t, base+"server: {server_timing: true}\n")
	gateway.signal(t, syscall.SIGHUP)
	eventually(t, "the reload", func() bool { return gateway.lines(reloadedLine, `"trigger":"SIGHUP"`) == 1 })

	if gateway.lines(reloadedLine, `"trigger":"file"`) != 0 {
		t.Error("it was reloaded because of the file")
	}
}
