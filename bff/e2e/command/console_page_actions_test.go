package command_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/portico-gateway/portico/bff/e2e/browsertest"
)

// press clicks a button of the page that it finds by an expression.
func press(page *browsertest.Page, expression string) {
	page.Do(chromedp.Evaluate[chromedp.Void](expression + `.click()`))
}

func TestConsolePageActs(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	at, secret := p.console(t)
	page := openConsolePage(t, at)
	order := rowOf("upstreams", "order")
	set := order + `.querySelector(".breaker button")`

	comes(page, order+`.querySelector(".breaker .badge").textContent === "closed"`)
	press(page, set)
	page.Do(chromedp.WaitVisible(chromedp.CSS(consolePassword)))
	readable(t, page, "dialog")

	if got := textOf(page, consoleDialog); !strings.Contains(got, "Opens the circuit breaker of the upstream order: every call") {
		t.Errorf("before it is done: %q", got)
	}

	page.Do(chromedp.SendKeys(chromedp.CSS(consolePassword), "wrong"), chromedp.Click(chromedp.CSS(consoleSubmit)),
		chromedp.WaitVisible(chromedp.CSS(consoleResult+".bad")))
	page.Expect("status of 401")

	if got := textOf(page, consoleResult); !strings.Contains(got, "the credential of operators (admin.credential) is needed") {
		t.Errorf("with a wrong credential: %q", got)
	}

	readable(t, page, "refused")
	page.Do(chromedp.SendKeys(chromedp.CSS(consolePassword), secret), chromedp.Click(chromedp.CSS(consoleSubmit)),
		chromedp.WaitVisible(chromedp.CSS(consoleResult+".good")))
	page.Do(chromedp.Click(chromedp.CSS(consoleClose)))
	comes(page, order+`.querySelector(".breaker .badge").textContent === "open, held"`)
	comes(page, `document.querySelector("#notices").textContent.includes("An operator holds the breaker of order open.")`)
	want(t, "orders", call(t, http.MethodGet, p.url+"/v1/users/alice/orders", p.token(t, "alice"), ""), http.StatusServiceUnavailable)

	// The credential is asked for once, and is gone with the page.
	press(page, set)
	page.Do(chromedp.WaitVisible(chromedp.CSS(consoleSubmit)))

	if browsertest.Get(page, chromedp.Evaluate[bool](`document.querySelector("#action-credential").checkVisibility()`)) {
		t.Error("the credential is asked for again")
	}

	page.Do(chromedp.Navigate(at+"?again#credential="+url.PathEscape(secret)), chromedp.WaitReady(chromedp.CSS(consoleLive)))

	if got := browsertest.Get(page, chromedp.Evaluate[string](`location.href`)); got != at+"?again" {
		t.Errorf("the address is %s", got)
	}

	comes(page, set)
	press(page, set)
	page.Do(chromedp.Click(chromedp.CSS(consoleSubmit)), chromedp.WaitVisible(chromedp.CSS(consoleResult+".good")))
	comes(page, order+`.querySelector(".breaker .badge").textContent === "closed"`)

	const stored = `localStorage.length + sessionStorage.length + document.cookie.length`
	if n := browsertest.Get(page, chromedp.Evaluate[int](stored)); n != 0 {
		t.Error("something is stored")
	}
}

const hostileHTML = `<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>`

// TestConsolePageTakesNoTextForHTML has a gateway whose every text is HTML.
func TestConsolePageTakesNoTextForHTML(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	want(t, "bob's", call(t, http.MethodGet, p.url+"/v1/users/bob", p.token(t, "alice"), ""), http.StatusForbidden)

	events := hostileEvents(t, p)

	target, err := url.Parse(p.admin)
	if err != nil {
		t.Fatal(err)
	}

	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	mux := http.NewServeMux()
	mux.Handle("/", proxy)
	mux.HandleFunc("/console/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		repeat(r.Context(), w, events)
	})

	site := httptest.NewServer(mux)
	t.Cleanup(func() {
		site.CloseClientConnections()
		site.Close()
	})

	page := openConsolePage(t, site.URL+"/console/")
	press(page, `document.querySelector("#upstreams-table tbody .breaker button")`)
	page.Do(chromedp.WaitVisible(chromedp.CSS(consoleDialog)))

	for _, section := range []string{
		"#identity", "#notices", "#upstreams-table", "#routes-table", "#failures-table", "#limits-table",
		"#cache-table", "#configuration", "#checks", "#process-facts", consoleDialog,
	} {
		got := browsertest.Get(page, chromedp.Evaluate[string](`document.querySelector("`+section+`").textContent`))
		if !strings.Contains(got, hostileHTML) {
			t.Errorf("%s has no hostile text: %.200s", section, got)
		}
	}

	const parsed = `document.querySelectorAll("img, script:not([src='main.js'])").length + (window.harmed ?? 0)`
	if got := browsertest.Get(page, chromedp.Evaluate[int](parsed)); got != 0 {
		t.Errorf("%d elements of texts", got)
	}
}

// repeat writes events like a gateway, but the same ones, until the client is gone.
func repeat(ctx context.Context, w http.ResponseWriter, events string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()

	for {
		_, err := io.WriteString(w, events)
		if err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}

		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// hostileEvents are those of a gateway, with HTML at the end of each of their texts.
func hostileEvents(t *testing.T, p *process) string {
	t.Helper()

	snapshot := call(t, http.MethodGet, p.admin+"/console/state", "", "").json(t)
	about, _ := snapshot["about"].(map[string]any)
	state, _ := snapshot["state"].(map[string]any)
	now := time.Now().Format(time.RFC3339)
	about["configuration"] = map[string]any{"hash": "x", "loaded": now, "last_reload": map[string]any{
		"time": now, "trigger": "x", "result": "refused", "faults": []any{"x"}, "changed": []any{"x"},
	}}
	state["limits"] = []any{map[string]any{
		"limit": "x", "rpc": "x", "key": "x", "refused_per_second": 1, "allowed_per_second": 1, "refused_last_minute": 1,
	}}
	state["cache"] = map[string]any{"hits_per_second": 0, "misses_per_second": 0, "bypasses_per_second": 0, "rpcs": []any{
		map[string]any{"rpc": "x", "hits_per_second": 0, "misses_per_second": 0, "bypasses_per_second": 0},
	}}
	state["redis"] = map[string]any{"breaker": "x", "trouble": []any{"x"}}

	var text strings.Builder

	for _, event := range []string{"about", "state"} {
		data, err := json.Marshal(spoilt(snapshot[event]))
		if err != nil {
			t.Fatal(err)
		}

		fmt.Fprintf(&text, "event: %s\ndata: %s\n\n", event, data)
	}

	return text.String()
}

// spoilt is a part of JSON with HTML at the end of its texts, but for times and the names of actions.
func spoilt(value any) any {
	switch v := value.(type) {
	case string:
		if _, err := time.Parse(time.RFC3339, v); err != nil {
			return v + hostileHTML
		}
	case []any:
		for i := range v {
			v[i] = spoilt(v[i])
		}
	case map[string]any:
		for name, member := range v {
			if name != "actions" {
				v[name] = spoilt(member)
			}
		}
	}

	return value
}
