package command_test

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// nowhere are backends that are not there.
const nowhere = `
upstreams:
  user: {addresses: [127.0.0.1:1]}
  order: {addresses: [127.0.0.1:1]}
  profile: {addresses: [127.0.0.1:1]}
  payment: {addresses: [127.0.0.1:1]}
  notification: {addresses: [127.0.0.1:1]}
`

var started = regexp.MustCompile(`"msg":"listening","address":"([^"]+)","admin":"([^"]+)","health":"([^"]+)"`)

// startHealthy runs `portico serve` with a health listener, whose URL it returns, and a command that is changed before.
func startHealthy(t *testing.T, health, config string, prepare func(*exec.Cmd)) (p *process, url string) {
	t.Helper()

	p = startPrepared(t, raced, func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "PORTICO_HEALTH_ADDRESS="+health)
		prepare(cmd)
	}, "serve", "--config", writeFile(t, "portico.yaml", config))

	eventually(t, "the gateway listening", func() bool { return started.MatchString(p.stderr.String()) })

	found := started.FindStringSubmatch(p.stderr.String())
	p.url, p.admin = "http://"+found[1], "http://"+found[2]

	return p, "http://" + found[3]
}

// Once, a kubelet could reach /readyz only together with the profiles.
func TestHealthListener(t *testing.T) {
	t.Parallel()

	port := strconv.Itoa(freePorts(t))
	p, _ := startHealthy(t, ":"+port, "auth:\n  keys_grace: 1h\n  issuers: [{issuer: https://login.internal.example, audiences: [a],"+
		" jwks_url: 'http://127.0.0.1:1/keys'}]\n"+nowhere, func(*exec.Cmd) {})

	// Another address than the one of the admin listener. Probes come from outside of the pod.
	health := "http://127.0.0.2:" + port

	for path, want := range map[string]answer{
		"/livez":          {status: http.StatusOK, body: "ok\n"},
		"/readyz":         {status: http.StatusServiceUnavailable, body: "waiting\n"},
		"/readyz?verbose": {status: http.StatusServiceUnavailable, body: "waiting\n"},
	} {
		if got := call(t, http.MethodGet, health+path, "", ""); got.status != want.status || got.body != want.body {
			t.Errorf("%s: %d %q, want %d %q", path, got.status, got.body, want.status, want.body)
		}
	}

	for _, path := range []string{"/metrics", "/debug/pprof/", "/upstreams", "/log/level", "/v1/me/dashboard"} {
		if got := call(t, http.MethodGet, health+path, "", ""); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}

	got := call(t, http.MethodGet, p.admin+"/readyz?verbose", "", "")
	if !strings.Contains(got.body, "[-]keys waiting for the keys of the issuer https://login.internal.example\n") ||
		!strings.Contains(got.body, "[+]upstream:order ok\n") || got.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", got.status, got.body)
	}

	line := p.stderr.String()
	for _, part := range []string{`"version":"`, `"go":"go`, `"config":"`, `"routes":`, `"upstreams":5`, `"issuers":1`, `"policy_overrides":0`, `"cpus":`} {
		if !strings.Contains(line, part) {
			t.Errorf("the first line has no %s: %s", part, line)
		}
	}
}

// Once, nobody was told that there were no file descriptors left, and operators could not ask.
func TestWithoutFileDescriptors(t *testing.T) {
	t.Parallel()

	const clients = 200

	p, health := startHealthy(t, "127.0.0.1:0", "server: {read_header_timeout: 10m}\nauth: {disabled: true}\n"+nowhere, func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"sh", "-c", `ulimit -n 100; exec "$0" "$@"`}, cmd.Args...)
		cmd.Path = "/bin/sh"
	})

	for _, part := range []string{"server.max_connections needs more file descriptors", `"max_connections":20000,"descriptors":100`} {
		if !strings.Contains(p.stderr.String(), part) {
			t.Errorf("no %q at the start: %s", part, p.stderr)
		}
	}

	address := strings.TrimPrefix(p.url, "http://")
	gone, conns := make(chan struct{}, clients), make([]net.Conn, 0, clients)

	for range clients {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()

		conns = append(conns, conn)

		go func() {
			_, _ = conn.Read(make([]byte, 1))

			gone <- struct{}{}
		}()
	}

	eventually(t, "clients that are disconnected", func() bool { return len(gone) > 0 })

	if got := call(t, http.MethodGet, health+"/readyz", "", ""); got.status != http.StatusOK {
		t.Errorf("readiness: %d %s", got.status, got.body)
	}

	found := regexp.MustCompile(`portico_accept_errors_total\{listener="server"\} [1-9]`)
	if got := call(t, http.MethodGet, p.admin+"/metrics", "", "").body; !found.MatchString(got) {
		t.Error("the failures are not counted")
	}

	// The first at once, however many there are.
	const line = `"level":"ERROR","msg":"connections cannot be accepted","listener":"server","connections":1,"error":"too many open files"`

	eventually(t, "the failures logged", func() bool { return strings.Count(p.stderr.String(), line) == 1 })

	for _, conn := range conns {
		_ = conn.Close()
	}

	eventually(t, "connections that are accepted again", func() bool {
		res, err := http.Get(p.url + "/v1/nothing")
		if err != nil {
			return false
		}
		defer res.Body.Close()

		_, err = io.Copy(io.Discard, res.Body)

		return err == nil && res.StatusCode == http.StatusNotFound
	})
	eventually(t, "that logged", func() bool { return strings.Contains(p.stderr.String(), `"msg":"connections are accepted again"`) })
}

// An operator looks at everything for a while, and need not remember to end that.
func TestLogLevelForAWhile(t *testing.T) {
	t.Parallel()

	p, _ := startHealthy(t, "127.0.0.1:0", operators+"auth: {disabled: true}\nlog: {sample: 0.000001}\n"+nowhere, func(*exec.Cmd) {})

	for query, want := range map[string]string{
		"level=loud":           `level: "loud" is not one of debug, info, warn, error`,
		"level=debug&for=soon": `for: "soon" is not a duration, such as 10m`,
		"level=debug&for=48h":  "for: 48h0m0s is not over 0, up to 24h0m0s",
	} {
		if got := call(t, http.MethodPut, p.admin+"/log/level?"+query, credential, ""); got.status != http.StatusBadRequest || got.body != want+"\n" {
			t.Errorf("%s: %d %q", query, got.status, got.body)
		}
	}

	level := func() any { return call(t, http.MethodGet, p.admin+"/log/level", "", "").json(t)["level"] }

	got := call(t, http.MethodPut, p.admin+"/log/level?level=debug&for=300ms", credential, "").json(t)
	if got["level"] != "debug" || got["configured"] != "info" || got["until"] == nil {
		t.Errorf("got %v", got)
	}

	eventually(t, "the configured level", func() bool { return level() == "info" })
	eventually(t, "both changes logged", func() bool {
		log := p.stderr.String()

		return strings.Contains(log, `"msg":"the log level was changed","log_level":"debug","until":"`) &&
			strings.Contains(log, `"msg":"the log level was changed","log_level":"info"`)
	})
}
