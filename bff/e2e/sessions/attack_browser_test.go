package sessions_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/browsertest"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// attackPage is a page of another origin that does with the gateway whatever a page can do. It says on its root element when
// everything was tried, and what a script could read.
const attackPage = `<!doctype html><title>evil</title>
<form id=order method=post enctype=text/plain target=one action="%[1]s/v1/orders">
	<input name='{"userId":"alice","x":"' value='"}'>
</form>
<form id=logout method=post target=two action="%[1]s/auth/logout"></form>
<iframe name=one></iframe><iframe name=two></iframe>
<iframe src="%[1]s/auth/session"></iframe><iframe src="%[1]s/auth/logout"></iframe>
<img src="%[1]s/auth/logout"><img src="%[1]s/auth/session">
<script>
const read = []
const attempt = (path, init) => fetch("%[1]s" + path, {credentials: "include", ...init})
	.then(async r => { read.push(r.type === "opaque" ? "" : await r.text()) }, () => {})
order.submit()
logout.submit()
window.open("%[1]s/auth/logout")
Promise.all([
	attempt("/auth/session"),
	attempt("/auth/session", {mode: "no-cors"}),
	attempt("/auth/logout", {method: "POST", mode: "no-cors"}),
	attempt("/auth/logout?everywhere=true", {method: "POST", headers: {"X-Csrf": "1"}}),
	attempt("/v1/orders", {method: "POST", mode: "no-cors", body: "{}"}),
	attempt("/v1/users/alice", {method: "DELETE", headers: {"X-Csrf": "1"}}),
	new Promise(done => addEventListener("load", done)),
]).then(() => { document.documentElement.dataset.read = read.join("").trim() || "nothing" })
</script>`

// A real browser shows pages of the same site and of another one. Whatever they do, the session goes on and nothing has changed.
func TestBrowserSessionAndPagesOfOthers(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	s := startOf(t, i, func(c *config.Config) { c.Docs.Page = "public" })
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, attackPage, s.URL)
	}))
	t.Cleanup(evil.Close)

	page := browsertest.Open(t)
	for _, complaint := range []string{
		"status of 401", "status of 403", "status of 405", "CORS policy", "net::ERR_FAILED", "frame-ancestors",
	} {
		page.Expect(complaint)
	}

	page.Do(chromedp.Navigate(s.URL + "/auth/login?return_to=/docs"))
	mustBeIn(t, s, page)

	for _, address := range []string{evil.URL, strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)} {
		posted := func() int { return strings.Count(s.Logs.String(), `"method":"POST"`) }
		gotten := func() int { return strings.Count(s.Logs.String(), `"method":"GET","route":"/auth/logout"`) }
		posts, gets := posted(), gotten()

		page.Do(chromedp.Navigate(address), chromedp.WaitReady(chromedp.CSS("html[data-read]")))

		if got := browsertest.Get(page, chromedp.Evaluate[string](`document.documentElement.dataset.read`)); got != "nothing" {
			t.Errorf("%s has read %s", address, got)
		}

		// Two forms and two requests of a script; a frame, an image and a window. Two more requests end with their preflights.
		gatewaytest.Eventually(t, "the attack", func() bool { return posted()-posts >= 4 && gotten()-gets >= 3 })
		mustBeIn(t, s, page)
	}

	if calls := s.TakeCalls(); len(calls) != 0 {
		t.Errorf("calls %v", gatewaytest.RPCs(calls))
	}

	// The page of the gateway can do what the others cannot.
	page.Do(chromedp.Navigate(s.URL+"/docs"), chromedp.Evaluate[chromedp.Void](
		`fetch("/auth/logout", {method: "POST", headers: {"X-Csrf": "1"}})
			.then(r => { document.documentElement.dataset.status = r.status })`),
		chromedp.WaitReady(chromedp.CSS(`html[data-status="200"]`)), chromedp.Navigate(s.URL+"/auth/session"))

	if got := bodyOf(page); !strings.Contains(got, strconv.Itoa(http.StatusUnauthorized)) {
		t.Errorf("after the logout: %s", got)
	}
}

// mustBeIn checks that the browser has alice's session.
func mustBeIn(t *testing.T, s *site, page *browsertest.Page) {
	t.Helper()

	page.Do(chromedp.Navigate(s.URL + "/auth/session"))

	if got := bodyOf(page); !strings.Contains(got, `"subject":"alice"`) {
		t.Fatalf("the session is %s", got)
	}
}

func bodyOf(page *browsertest.Page) string {
	return browsertest.Get(page, chromedp.Evaluate[string](`document.body.innerText`))
}
