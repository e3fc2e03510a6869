package command_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/admin/console"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// watching is the console of a gateway, open as a page has it.
type watching struct {
	lines *bufio.Scanner
	about console.About
	state console.State
	// text is all that came.
	text strings.Builder
}

func watchConsole(t *testing.T, p *process) *watching {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)

	res := open(t, ctx, http.MethodGet, p.admin+"/console/events", "", "")
	t.Cleanup(func() { _ = res.Body.Close() })

	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("%s, %s", res.Status, got)
	}

	w := &watching{lines: bufio.NewScanner(res.Body)}
	w.lines.Buffer(nil, 16<<20)

	if !w.next(t) || w.about.Started.IsZero() {
		t.Fatalf("it begins with %+v", w.about)
	}

	return w
}

// next reads until there is another state; false: the stream has ended.
func (w *watching) next(t *testing.T) bool {
	t.Helper()

	name := ""

	for w.lines.Scan() {
		line := w.lines.Text()
		w.text.WriteString(line + "\n")

		field, value, _ := strings.Cut(line, ": ")
		switch {
		case field == "event":
			name = value
		case field == "data" && name == "about":
			w.about = console.About{}
			decode(t, value, &w.about)
		case field == "data" && name == "state":
			w.state = console.State{}
			decode(t, value, &w.state)

			return true
		}
	}

	return false
}

// until reads states until one of them is as wanted.
func (w *watching) until(t *testing.T, what string, holds func() bool) {
	t.Helper()

	for !holds() {
		if !w.next(t) {
			t.Fatalf("the stream ended before %s: %v, last state %+v", what, w.lines.Err(), w.state)
		}
	}
}

func (w *watching) upstream(name string) console.Upstream {
	i := slices.IndexFunc(w.state.Upstreams, func(u console.Upstream) bool { return u.Name == name })
	if i < 0 {
		return console.Upstream{}
	}

	return w.state.Upstreams[i]
}

// act asks for an action.
func act(t *testing.T, p *process, action, with, body string) answer {
	t.Helper()

	return call(t, http.MethodPost, p.admin+"/console/actions/"+action, with, body)
}

// consoles starts two gateways over the backends of a `portico dev` and one Redis.
func consoles(t *testing.T) (dev *process, gateways [2]*process, token string) {
	t.Helper()

	dev = startDev(t, t.TempDir())
	config := writeFile(t, "portico.yaml", dev.upstreams(t)+operators+`
redis: {url: "`+redistest.Start(t).URL()+`", timeout: 2s}
auth:
  issuers:
    - issuer: https://dev.portico.invalid
      audiences: [portico]
      jwks_file: `+filepath.Join(dev.dataDir, "dev-issuer.jwks.json")+"\n")

	for i := range gateways {
		gateways[i] = startServe(t, config)
		gateways[i].admin = "http://" + adminOf.FindStringSubmatch(gateways[i].stderr.String())[1]
	}

	return dev, gateways, dev.token(t, "alice")
}

// An operator watches a gateway and does everything that the console can.
func TestConsole(t *testing.T) { //nolint:tparallel // They use the same page, one after the other.
	t.Parallel()

	dev, gateways, token := consoles(t)
	gateway := gateways[0]
	page := watchConsole(t, gateway)

	if len(page.about.Services) == 0 || page.about.ActionsRefused != "" || len(page.about.Actions) != 5 || page.about.Configuration.LastReload != nil {
		t.Errorf("about: %+v", page.about)
	}

	t.Run("backend_stops_and_returns", func(t *testing.T) { seesBackends(t, dev, gateway, page) })
	t.Run("credential", func(t *testing.T) { actionsNeedTheCredential(t, gateway) })
	t.Run("breaker", func(t *testing.T) { breakerIsForced(t, gateway, page, token) })
	t.Run("drain_of_the_gateway", func(t *testing.T) { gatewayIsDrained(t, gateway, page, token) })
	t.Run("drain_of_an_address", func(t *testing.T) { addressIsDrained(t, gateway, page, token) })
	t.Run("log_level", func(t *testing.T) { levelIsSet(t, gateway, page) })
	t.Run("purge", func(t *testing.T) { purgeIsSeenByTheOther(t, gateways, token) })
	t.Run("reload", func(t *testing.T) { reloadIsShown(t, gateway, page) })
	t.Run("state_for_scripts", func(t *testing.T) {
		var s console.Snapshot

		decode(t, call(t, http.MethodGet, gateways[1].admin+"/console/state", "", "").body, &s)

		if !s.State.Ready || s.State.Redis == nil || s.About.Configuration.Hash != page.about.Configuration.Hash {
			t.Errorf("%+v", s)
		}
	})

	if text := page.text.String(); strings.Contains(text, credential) {
		t.Error("the credential was sent")
	}

	if code := gateway.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}

	for page.next(t) {
	}

	if err := page.lines.Err(); err != nil || !page.state.Stopping || page.state.Ready {
		t.Errorf("the end of the stream: %v, %+v", err, page.state)
	}
}

// seesBackends: the state that follows when the gateway itself has noticed that a backend has stopped, or is there again, shows it.
// States come once a second, a closed connection is noticed at once, and one that can be made again after 0.6 seconds at most.
func seesBackends(t *testing.T, dev, gateway *process, page *watching) {
	t.Helper()

	page.until(t, "all is well", func() bool {
		u := page.upstream("profile")
		return u.State == "ok" && len(u.Addresses) == 1 && u.Addresses[0].State == "ready"
	})

	for _, tt := range []struct{ verb, message, upstream, address string }{
		{"stop", "the backend cannot be reached", "unavailable", "failing"},
		{"start", "the backend can be reached again", "ok", "ready"},
	} {
		asked := time.Now()
		want(t, tt.verb, call(t, http.MethodPost, dev.admin+"/dev/backends/profile/"+tt.verb, "", ""), http.StatusOK)

		var without []time.Time

		page.until(t, tt.verb+" is shown", func() bool {
			u := page.upstream("profile")
			if u.State == tt.upstream && u.Addresses[0].State == tt.address {
				return true
			}

			without = append(without, page.state.Time)

			return false
		})

		var noticed time.Time

		eventually(t, "the line", func() bool {
			noticed = gateway.logged(t, tt.message, `"upstream":"profile"`)
			return !noticed.IsZero()
		})

		// One that is connected again has to say that it is serving.
		late := slices.DeleteFunc(without, func(at time.Time) bool { return !at.After(noticed) })
		if len(late) > 1 {
			t.Errorf("%s: noticed at %s, and not yet shown at %s", tt.verb, noticed, late)
		}

		t.Logf("%s: noticed after %s, shown after %s", tt.verb, noticed.Sub(asked), page.state.Time.Sub(asked))
	}
}

// logged is when the last line with all of the texts was written; zero: there is none.
func (p *process) logged(t *testing.T, texts ...string) (at time.Time) {
	t.Helper()

	for line := range strings.Lines(p.stderr.String()) {
		if slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			continue
		}

		var parsed struct{ Time time.Time }
		if err := json.Unmarshal([]byte(line), &parsed); err == nil {
			at = parsed.Time
		}
	}

	return at
}

func actionsNeedTheCredential(t *testing.T, gateway *process) {
	t.Helper()

	for _, action := range []string{"breaker", "drain", "log-level", "purge", "reload"} {
		for _, with := range []string{"", "a wrong credential"} {
			got := act(t, gateway, action, with, `{"upstream":"user","state":"open","drained":true,"level":"debug","tag":"x"}`)
			if got.status != http.StatusUnauthorized && got.status != http.StatusTooManyRequests || got.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s with %q: %d %s", action, with, got.status, got.body)
			}
		}
	}

	if got := act(t, gateway, "purge", credential, `{}`); got.status != http.StatusBadRequest {
		t.Errorf("right after that, the right one: %d %s", got.status, got.body)
	}

	eventually(t, "the lines", func() bool {
		return gateway.lines(`"msg":"action of an operator"`, `"action":"purge"`, `"result":"unauthorized"`) > 0 &&
			gateway.lines(`"msg":"action of an operator"`, `"action":"purge"`, `"result":"invalid"`) == 1
	})
}

func breakerIsForced(t *testing.T, gateway *process, page *watching, token string) {
	t.Helper()

	read := func() int { return call(t, http.MethodGet, gateway.url+"/v1/users/alice", token, "").status }

	want(t, "open", act(t, gateway, "breaker", credential, `{"upstream":"user","state":"open"}`), http.StatusOK)

	if status := read(); status != http.StatusServiceUnavailable {
		t.Errorf("while it is open: %d", status)
	}

	page.until(t, "the breaker is shown, and the refusal", func() bool {
		u := page.upstream("user")
		return u.Breaker == console.Breaker{State: "open", Forced: true} && u.State == "unavailable" &&
			slices.ContainsFunc(page.state.Failures, func(f console.Failure) bool {
				return f.Reason == "breaker" && f.Path == "/v1/users/{user_id}" && f.Status == http.StatusServiceUnavailable
			})
	})

	want(t, "closed", act(t, gateway, "breaker", credential, `{"upstream":"user","state":"closed"}`), http.StatusOK)

	if status := read(); status != http.StatusOK {
		t.Errorf("while it is closed: %d", status)
	}

	want(t, "auto", act(t, gateway, "breaker", credential, `{"upstream":"user","state":"auto"}`), http.StatusOK)
	page.until(t, "it is as before, and the rate", func() bool {
		i := slices.IndexFunc(page.state.Routes, func(r console.RouteState) bool { return r.Path == "/v1/users/{user_id}" })
		return page.upstream("user").Breaker == console.Breaker{State: "closed"} && i >= 0 &&
			page.state.Routes[i].Long.PerSecond > 0 && page.state.Routes[i].Long.P99MS > 0
	})

	for body, status := range map[string]int{
		`{"upstream":"usr","state":"open"}`:                                http.StatusNotFound,
		`{"upstream":"user","rpc":"user.v1.UserService.X","state":"open"}`: http.StatusNotFound,
		`{"upstream":"user","state":"ajar"}`:                               http.StatusBadRequest,
	} {
		want(t, body, act(t, gateway, "breaker", credential, body), status)
	}
}

func gatewayIsDrained(t *testing.T, gateway *process, page *watching, token string) {
	t.Helper()

	want(t, "drain", act(t, gateway, "drain", credential, `{"drained":true}`), http.StatusOK)

	ready := call(t, http.MethodGet, gateway.admin+"/readyz", "", "")
	if ready.status != http.StatusServiceUnavailable || !strings.Contains(ready.body, "draining by an operator") {
		t.Errorf("readiness: %d %s", ready.status, ready.body)
	}

	want(t, "a request", call(t, http.MethodGet, gateway.url+"/v1/users/alice", token, ""), http.StatusOK)
	page.until(t, "it is shown", func() bool { return !page.state.Ready && page.state.Drained != nil && !page.state.Stopping })
	want(t, "undo", act(t, gateway, "drain", credential, `{"drained":false}`), http.StatusOK)
	want(t, "readiness", call(t, http.MethodGet, gateway.admin+"/readyz", "", ""), http.StatusOK)
	page.until(t, "that is shown", func() bool { return page.state.Ready && page.state.Drained == nil })
}

func addressIsDrained(t *testing.T, gateway *process, page *watching, token string) {
	t.Helper()

	page.until(t, "both addresses are ready", func() bool {
		addresses := page.upstream("user").Addresses
		return len(addresses) == 2 && !slices.ContainsFunc(addresses, func(a console.Address) bool { return a.State != "ready" })
	})

	addresses := page.upstream("user").Addresses
	drain := func(address string, drained bool) answer {
		return act(t, gateway, "drain", credential, fmt.Sprintf(`{"upstream":"user","address":%q,"drained":%t}`, address, drained))
	}

	want(t, "drain", drain(addresses[0].Address, true), http.StatusOK)
	want(t, "drain of the last one", drain(addresses[1].Address, true), http.StatusConflict)
	want(t, "drain of an unknown one", drain("127.0.0.1:1", true), http.StatusNotFound)
	page.until(t, "it is shown", func() bool { return page.upstream("user").Addresses[0].State == "drained" })

	for range 4 {
		want(t, "a request", call(t, http.MethodGet, gateway.url+"/v1/users/alice", token, ""), http.StatusOK)
	}

	want(t, "undo", drain(addresses[0].Address, false), http.StatusOK)
	page.until(t, "that is shown", func() bool { return page.upstream("user").Addresses[0].State == "ready" })
}

func levelIsSet(t *testing.T, gateway *process, page *watching) {
	t.Helper()

	want(t, "debug", act(t, gateway, "log-level", credential, `{"level":"debug","for":"1m"}`), http.StatusOK)
	page.until(t, "it is shown", func() bool { return page.state.Log.Level == "debug" && !page.state.Log.Until.IsZero() })
	want(t, "loud", act(t, gateway, "log-level", credential, `{"level":"loud"}`), http.StatusBadRequest)
	want(t, "reset", act(t, gateway, "log-level", credential, `{}`), http.StatusOK)
	page.until(t, "that is shown", func() bool { return page.state.Log.Level == "info" })
}

// purgeIsSeenByTheOther: what one gateway forgets, all do that share its Redis.
func purgeIsSeenByTheOther(t *testing.T, gateways [2]*process, token string) {
	t.Helper()

	read := func() string {
		res := want(t, "the profile", call(t, http.MethodGet, gateways[1].url+"/v1/users/alice/profile", token, ""), http.StatusOK)
		return res.header.Get("Cache-Status")
	}

	eventually(t, "a hit", func() bool { return strings.HasPrefix(read(), "portico; hit;") })
	want(t, "purge", act(t, gateways[0], "purge", credential, `{"tag":"profile:alice"}`), http.StatusOK)

	if status := read(); strings.Contains(status, "; hit") {
		t.Errorf("after the purge: %s", status)
	}
}

func reloadIsShown(t *testing.T, gateway *process, page *watching) {
	t.Helper()

	res := want(t, "reload", act(t, gateway, "reload", credential, ""), http.StatusOK)

	var done console.Result

	decode(t, res.body, &done)

	page.until(t, "the reload is shown", func() bool { return page.about.Configuration.LastReload != nil })

	if last := page.about.Configuration.LastReload; last.Trigger != "console" || last.Result != console.ReloadAccepted ||
		done.Hash != page.about.Configuration.Hash {
		t.Errorf("%+v, %+v", page.about.Configuration, done)
	}
}

// The welcome of `portico dev` has the address of the console, with a credential that is another one each time.
func TestConsoleOfDev(t *testing.T) {
	t.Parallel()

	dev := startDev(t, t.TempDir())

	found := regexp.MustCompile(`Console\s+(http://\S+/console/)#credential=(\S+)`).FindStringSubmatch(dev.stdout.String())
	if found == nil {
		t.Fatalf("the welcome is %s", dev.stdout)
	}

	want(t, "the page", call(t, http.MethodGet, found[1], "", ""), http.StatusOK)
	want(t, "without it", act(t, dev, "purge", "", `{"tag":"x"}`), http.StatusUnauthorized)
	want(t, "an action", act(t, dev, "purge", found[2], `{"tag":"x"}`), http.StatusOK)

	if strings.Contains(dev.stderr.String(), found[2]) {
		t.Error("the log has the credential")
	}
}
