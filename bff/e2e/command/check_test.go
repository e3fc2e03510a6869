package command_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
	"github.com/portico-gateway/portico/bff/internal/testkit/nameserver"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// site has the files that a configuration with everything in it names.
type site struct {
	ca  *tlstest.CA
	dir string
}

func newSite(t *testing.T) site {
	t.Helper()

	s := site{ca: tlstest.NewCA(t), dir: t.TempDir()}
	s.ca.IssueFor(t, s.file("good.crt"), s.file("good.key"), "backend.test", time.Time{}, time.Now().Add(365*24*time.Hour))
	s.ca.IssueFor(t, s.file("old.crt"), s.file("old.key"), "backend.test", time.Time{}, time.Now().Add(-time.Hour))

	return s
}

func (s site) file(name string) string { return filepath.Join(s.dir, name) }

// configuration has a setting a line, and no fault.
func (s site) configuration() string {
	upstream := `{tls: {ca_file: ` + s.file("good.crt") + `}, addresses: ["10.1.0.1:9000", "10.1.0.2:9000"]}`

	return `server:
  address: 127.0.0.1:0
  request_timeout: 10s
  drain_delay: 4s
  tls: {cert_file: ` + s.file("good.crt") + `, key_file: ` + s.file("good.key") + `}
admin: {address: "127.0.0.1:0"}
health: {address: "-"}
cors:
  allowed_origins: ["https://app.example.com"]
overload: {max_in_flight: 100}
redis: {url: "redis://127.0.0.1:6379/0", timeout: 100ms}
log: {level: info}
auth:
  issuers:
    - {issuer: "https://a.example", audiences: [portico], leeway: 30s}
    - {issuer: "https://b.example", audiences: [portico], jwks_url: "https://b.example/keys"}
policies:
  - selector: order.v1.*
    set: {timeout: 3s}
upstreams:
  order: ` + upstream + `
  profile: ` + upstream + `
  payment: ` + upstream + `
  notification: {target: "dns:///notification.shop.svc:9000"}
  user: ` + upstream + "\n"
}

// mistake is a change of a text in the configuration. The fault is about the line of the new one.
type mistake struct{ before, after, want string }

func (s site) mistakes() []mistake {
	return []mistake{
		{"drain_delay: 4s", "drain_delay: 4", `server.drain_delay: "4" is not a duration`},
		{"drain_delay: 4s", "drain_dealy: 4s", `server.drain_dealy: there is no such setting; did you mean "drain_delay"?`},
		{"address: 127.0.0.1:0\n", "address: \":70000\"\n", `server.address: ":70000" is not host:port`},
		{"address: 127.0.0.1:0\n", "address: \"unix:x.sock\"\n", `server.address: "unix:x.sock" is not the absolute path of a Unix socket`},
		{"address: 127.0.0.1:0\n", "address: \"unix:/none/x.sock\"\n", "server.address: the folder of the Unix socket cannot be used: stat /none: no such file or directory"},
		{"address: 127.0.0.1:0\n", "address: 192.0.2.1:8080\n", "server.address: 192.0.2.1:8080 cannot be listened on: it is no address of this machine"},
		{`{address: "127.0.0.1:0"}`, `{address: "off"}`, `admin.address: "off" is not host:port, such as 127.0.0.1:8080; write "-"`},
		{"app.example.com\"]", "app.example.com/app\"]", "cors.allowed_origins[0]: \"https://app.example.com/app\" matches no origin"},
		{"app.example.com\"]", "app.example.com/\"]", `write "https://app.example.com"`},
		{"app.example.com\"]", "App.Example.com\"]", `write "https://app.example.com"`},
		{"cert_file: " + s.file("good.crt") + ", key_file: " + s.file("good.key"), "cert_file: " + s.file("old.crt") + ", key_file: " + s.file("old.key"), "server.tls.cert_file: " + s.file("old.crt") + ": the certificate (CN=backend.test) expired on"},
		{"key_file: " + s.file("good.key"), "key_file: " + s.file("old.key"), "server.tls.key_file: " + s.file("old.key") + ": tls: private key does not match"},
		{"timeout: 100ms", "timeout: 1us", "redis.timeout: must be at least 1ms"},
		{"request_timeout: 10s", "request_timeout: 1ns", "server.request_timeout: must be at least 1ms"},
		{"level: info", "level: INFO", `log.level: "INFO" is not one of debug, info, warn, error; did you mean "info"?`},
		{"selector: order.v1.*", "selector: order.v1.OrderService/GetOrder", `policies[0].selector: "order.v1.OrderService/GetOrder" selects no method; write "order.v1.OrderService.GetOrder"`},
		{"selector: order.v1.*", "selector: ordr.v1.*", `policies[0].selector: "ordr.v1.*" selects no method; did you mean "order.v1.*"?`},
		{"set: {timeout: 3s}", "set: {timeot: 3s}", `policies[0].set.timeot: there is no such field of a policy; did you mean "timeout"?`},
		{"notification: {target: \"dns:///", "notification: {target: \"dnss:///", `upstreams.notification.target: "dnss:///notification.shop.svc:9000" has the scheme "dnss"`},
		{`notification: {target: "dns:///notification.shop.svc:9000"}`, `notification: {addresses: ["127.0.0.1:185470"]}`, `upstreams.notification.addresses[0]: "127.0.0.1:185470" is neither`},
		{`notification: {target: "dns:///notification.shop.svc:9000"}`, `notification: {addresses: ["a:1", "b:1", "a:1"]}`, `upstreams.notification.addresses[2]: "a:1" is there already, as addresses[0]`},
		{"  user: {", "  users: {addresses: [\"a:1\"]}\n  user: {", `upstreams.users: there is no such upstream: no service is in it; did you mean "user"?`},
	}
}

// at is the place of the change in the file, without the column.
func (m mistake) at(path, text string) string {
	before, _, _ := strings.Cut(text, m.after)

	return fmt.Sprintf("%s:%d:", path, 1+strings.Count(before, "\n"))
}

func TestEachMistakeOfAConfigurationIsNamed(t *testing.T) {
	t.Parallel()

	s := newSite(t)

	if out, errs, code := portico(t, "check", "--config", writeFile(t, "p.yaml", s.configuration())); code != 0 || errs != "" || !strings.HasPrefix(out, "ok: ") {
		t.Fatalf("without a mistake: exit %d: %s%s", code, out, errs)
	}

	for _, m := range s.mistakes() {
		text := strings.Replace(s.configuration(), m.before, m.after, 1)
		path := writeFile(t, "portico.yaml", text)
		_, errs, code := portico(t, "check", "--config", path)

		lines := strings.Split(strings.TrimSpace(errs), "\n")
		if code != 1 || len(lines) != 2 || lines[0] != "portico: 1 fault in the configuration:" ||
			!strings.HasPrefix(lines[1], m.at(path, text)) || !strings.Contains(lines[1], m.want) {
			t.Errorf("%s: exit %d, want %s %s:\n%s", m.after, code, m.at(path, text), m.want, errs)
		}
	}
}

// Faults of values, files, policies, upstreams and types in one file.
func TestMistakesOfAllStagesAreNamedAtOnce(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	text, used := s.configuration(), map[string]bool{}

	var made []mistake

	for _, m := range s.mistakes() {
		// Some change the same place.
		if before, _, _ := strings.Cut(m.before, ":"); !used[before] && strings.Contains(text, m.before) {
			text, used[before] = strings.Replace(text, m.before, m.after, 1), true

			made = append(made, m)
		}
	}

	path := writeFile(t, "portico.yaml", text)

	for name, code := range map[string]int{"check": 1, "serve": 2} {
		_, errs, got := portico(t, name, "--config", path)
		if got != code || len(made) < 9 {
			t.Errorf("%s: exit %d", name, got)
		}

		for _, m := range made {
			found := false
			for line := range strings.Lines(errs) {
				found = found || strings.HasPrefix(line, m.at(path, text)) && strings.Contains(line, m.want)
			}

			if !found {
				t.Errorf("%s does not say %s %s:\n%s", name, m.at(path, text), m.want, errs)
			}
		}
	}
}

// Of a file that can be read in part, nothing is said to be missing.
func TestMistakesBesideAPartThatCannotBeRead(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	text := strings.Replace(s.configuration(), "level: info", "level: INFO", 1)
	text = strings.Replace(text, "  user: {", "  user: 4 #", 1)

	_, errs, code := portico(t, "check", "--config", writeFile(t, "portico.yaml", text))
	if code != 1 || !strings.Contains(errs, "2 faults") || !strings.Contains(errs, "log.level") || !strings.Contains(errs, "upstreams.user: must be a mapping") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestFaultsOfVariables(t *testing.T) {
	t.Parallel()

	path := writeFile(t, "portico.yaml", newSite(t).configuration())

	for variable, want := range map[string]string{
		"PORTICO_UPSTREAMS_USR_ADDRESSES=a:1": `PORTICO_UPSTREAMS_USR_ADDRESSES: upstreams.usr: there is no such upstream: no service is in it; did you mean "user"?`,
		"PORTICO_SERVER_ADRESS=:9":            `PORTICO_SERVER_ADRESS: there is no such variable; did you mean "PORTICO_SERVER_ADDRESS"?`,
		"PORTICO_LOG_LEVEL=loud":              `PORTICO_LOG_LEVEL: log.level: "loud" is not one of`,
	} {
		_, errs, code := porticoPrepared(t, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, variable) }, "check", "--config", path)
		if code != 1 || !strings.Contains(errs, "\n"+want) {
			t.Errorf("%s: exit %d: %s", variable, code, errs)
		}
	}
}

// checkedJSON is what check prints with --output json.
type checkedJSON struct {
	Faults, Warnings []struct {
		File, Variable, Path, Reason string
		Line, Column                 int
	}
	Passed []struct{ Path, Text string }
	Routes int
}

func checkJSON(t *testing.T, path string, args ...string) (found checkedJSON, code int) {
	t.Helper()

	out, errs, code := portico(t, append([]string{"check", "--output", "json", "--config", path}, args...)...)
	if err := json.Unmarshal([]byte(out), &found); err != nil || !strings.Contains(out, `"faults": [`) || !strings.Contains(out, `"warnings": [`) {
		t.Fatalf("%v: %s%s", err, out, errs)
	}

	return found, code
}

func TestCheckAsJSON(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	if found, code := checkJSON(t, writeFile(t, "p.yaml", s.configuration())); code != 0 || len(found.Faults) > 0 || found.Routes == 0 {
		t.Errorf("exit %d: %+v", code, found)
	}

	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()

	text := strings.Replace(s.configuration(), "level: info", "level: INFO", 1)
	text = strings.Replace(text, `{address: "127.0.0.1:0"}`, fmt.Sprintf("{address: %q}", taken.Addr()), 1)
	path := writeFile(t, "portico.yaml", text)

	found, code := checkJSON(t, path)
	if code != 1 || len(found.Faults) != 1 || len(found.Warnings) != 1 {
		t.Fatalf("exit %d: %+v", code, found)
	}

	if fault := found.Faults[0]; fault.File != path || fault.Line != 12 || fault.Column != 14 || fault.Path != "log.level" || fault.Reason == "" {
		t.Errorf("got %+v", fault)
	}

	if warning := found.Warnings[0]; warning.Line != 6 || warning.Path != "admin.address" || !strings.Contains(warning.Reason, "is in use") {
		t.Errorf("got %+v", warning)
	}

	out, errs, code := portico(t, "check", "--config", writeFile(t, "p.yaml", strings.Replace(text, "INFO", "info", 1)))
	if code != 0 || !strings.HasPrefix(out, "ok: ") || !strings.Contains(errs, "p.yaml:6:18: warning: admin.address: ") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

func TestCheckOnline(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	pair, err := tls.LoadX509KeyPair(s.file("good.crt"), s.file("good.key"))
	if err != nil {
		t.Fatal(err)
	}

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	backend := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&pair)))
	t.Cleanup(backend.Stop)

	go func() { _ = backend.Serve(listener) }()

	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(authtest.KeySet(t, authtest.NewSigner(t, "EdDSA", "a")))
	}))
	t.Cleanup(keys.Close)

	redis := redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	names := nameserver.Start(t, "127.0.0.1")
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	upstream := fmt.Sprintf("{addresses: [%q], tls: {ca_file: %q, server_name: backend.test}}", listener.Addr(), s.ca.File)

	text := func(order, target, jwks string) string {
		return `server: {address: "127.0.0.1:0"}
admin: {address: "-"}
health: {address: "-"}
redis: {url: "` + redis.URL() + `"}
auth: {issuers: [{issuer: "https://a.example", audiences: [a], jwks_url: "` + keys.URL + `", algorithms: [` + jwks + `]}]}
upstreams:
  user: ` + upstream + `
  order: ` + order + `
  profile: {target: "dns://` + names.Address + "/" + target + ":" + port + `", tls: {ca_file: "` + s.ca.File + `", server_name: backend.test}}
  payment: ` + upstream + `
  notification: ` + upstream + "\n"
	}

	good := writeFile(t, "good.yaml", text(upstream, nameserver.Name, "EdDSA"))

	found, code := checkJSON(t, good, "--online", "--timeout", "30s")
	if code != 0 || len(found.Faults) > 0 || len(found.Warnings) != 1 || found.Warnings[0].Path != "redis.url" || len(found.Passed) != 7 {
		t.Errorf("exit %d: %+v", code, found)
	}

	if out, errs, code := portico(t, "check", "--config", good, "--online", "--timeout", "30s"); code != 0 || !strings.Contains(out, "ok: upstreams.profile.target: 127.0.0.1:"+port+": TLS 1.3 as backend.test") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}

	other := fmt.Sprintf("{addresses: [%q], tls: {ca_file: %q}}", listener.Addr(), tlstest.NewCA(t).File)

	found, code = checkJSON(t, writeFile(t, "bad.yaml", text(other, "none.test", "RS256")), "--online", "--timeout", "30s")
	if code != 1 || len(found.Faults) != 3 {
		t.Fatalf("exit %d: %+v", code, found)
	}

	for i, want := range []struct{ path, reason string }{
		{"auth.issuers[0].jwks_url", "no key is for an algorithm"},
		{"upstreams.order.addresses[0]", "add that authority to tls.ca_file"},
		{"upstreams.profile.target", "none.test"},
	} {
		if fault := found.Faults[i]; fault.Path != want.path || fault.Line != []int{5, 8, 9}[i] || !strings.Contains(fault.Reason, want.reason) {
			t.Errorf("got %+v, want %+v", fault, want)
		}
	}
}
