package command_test

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/portico-gateway/portico/bff/e2e/browsertest"
)

// Parts of the page at /console/.
const (
	consoleLive     = `body[data-freshness="live"]`
	consoleStale    = `body[data-freshness="stale"]`
	consoleFailure  = `#failures-table tbody tr`
	consoleDialog   = `#action`
	consoleResult   = `#action-result`
	consolePassword = `#action input[name="credential"]`
	consoleSubmit   = `#action button[type="submit"]`
	consoleClose    = `#action-close`
)

// consoleURL is where `portico dev` says that the console is, with its credential.
var consoleURL = regexp.MustCompile(`Console +(\S+)#credential=(\S+)`)

// console returns both parts of it.
func (p *process) console(t *testing.T) (url, credential string) {
	t.Helper()

	found := consoleURL.FindStringSubmatch(p.stdout.String())
	if found == nil {
		t.Fatalf("the welcome does not say where the console is: %s", p.stdout)
	}

	return found[1], found[2]
}

// openConsolePage opens the console at a URL and waits for its first figures.
func openConsolePage(t *testing.T, url string) *browsertest.Page {
	t.Helper()

	page := browsertest.Open(t)
	page.Do(chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS(consoleLive)))

	return page
}

// rowOf is the row of a table whose first cell has a text.
func rowOf(table, text string) string {
	return `[...document.querySelectorAll("#` + table + `-table tbody tr")]` +
		`.find((row) => row.cells[0].textContent.includes(` + strconv.Quote(text) + `))`
}

// comes waits until an expression is true on the page.
func comes(page *browsertest.Page, expression string) {
	page.Do(chromedp.Evaluate[chromedp.Void](`new Promise((resolve) => {
		const met = () => { try { return `+expression+` } catch { return false } };
		const look = () => met() && (observer.disconnect(), resolve());
		const observer = new MutationObserver(look);
		observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
		look();
	}).then(() => {})`, chromedp.EvalAwaitPromise))
}

// fits holds that nothing of the page is beside the window.
func fits(t *testing.T, page *browsertest.Page) {
	t.Helper()

	if got := page.Overflow(); got > 0 {
		t.Errorf("it is %d pixels too wide", got)
	}

	for _, box := range page.Sideways() {
		t.Errorf("%s has to be scrolled sideways", box)
	}
}

func TestConsolePageShowsRoutesAndTraffic(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	url, _ := p.console(t)
	page := openConsolePage(t, url)
	alice := p.token(t, "alice")

	for range 20 {
		want(t, "dashboard", call(t, http.MethodGet, p.url+"/v1/me/dashboard", alice, ""), http.StatusOK)
	}

	want(t, "bob's", call(t, http.MethodGet, p.url+"/v1/users/bob", alice, ""), http.StatusForbidden)
	want(t, "unknown", call(t, http.MethodGet, p.url+"/v1/nothing", "", ""), http.StatusNotFound)

	comes(page, `Number(`+rowOf("routes", "/v1/me/dashboard")+`.querySelector(".rate span").textContent) > 0`)
	comes(page, rowOf("routes", "/v1/me/dashboard")+`.querySelector(".p99").textContent.includes("ms")`)
	comes(page, rowOf("routes", "/v1/orders/{order_id}:watch")+`.querySelector("summary").textContent.includes("server stream")`)
	comes(page, `document.querySelectorAll("`+consoleFailure+`").length >= 2`)
	comes(page, rowOf("upstreams", "order")+`.querySelectorAll(".dot.good").length > 0`)

	failures := textOf(page, "#failures-table")
	for _, part := range []string{"403", "404", "no route", "/v1/users/{user_id}"} {
		if !strings.Contains(failures, part) {
			t.Errorf("the failures are %s, without %q", failures, part)
		}
	}

	if strings.Contains(failures, "/v1/nothing") || strings.Contains(failures, "bob") {
		t.Errorf("the failures say what was asked for: %s", failures)
	}

	if got := textOf(page, "#configuration"); !regexp.MustCompile(`Hash\s+[0-9a-f]{12}`).MatchString(got) {
		t.Errorf("the configuration is %q", got)
	}

	// What is missing in the events would be shown as this.
	if got := textOf(page, "body"); regexp.MustCompile(`undefined|NaN|Invalid|\[object`).MatchString(got) {
		t.Errorf("the page has figures that are none: %s", got)
	}

	filterRoutes(t, page)

	fits(t, page)
	readable(t, page, "desktop")
	page.Phone()
	fits(t, page)
	readable(t, page, "phone")

	for _, asked := range page.Requests() {
		if !strings.HasPrefix(asked, p.admin+"/console/") {
			t.Errorf("it asks for %s", asked)
		}
	}
}

// filterRoutes looks for a route and unfolds its policy, which stays as it is while the figures change.
func filterRoutes(t *testing.T, page *browsertest.Page) {
	t.Helper()

	const rows = `[...document.querySelectorAll("#routes-table tbody tr")]`

	page.Do(chromedp.SendKeys(chromedp.CSS("#routes-filter"), "orderservice/getorder"))
	comes(page, rows+`.length === 0 && document.querySelector("#routes-count").textContent.startsWith("0 of ")`)
	page.Do(chromedp.Evaluate[chromedp.Void](`(() => {
		const filter = document.querySelector("#routes-filter");
		filter.value = "GET order.v1 getorder";
		filter.dispatchEvent(new Event("input", { bubbles: true }));
	})()`))
	comes(page, rows+`.length === 1`)
	page.Do(chromedp.Click(chromedp.CSS("#routes-table summary")))

	// The next two states, which have other times, arrive.
	page.Do(chromedp.Evaluate[chromedp.Void](`window.unfolded = document.querySelector("#routes-table details[open]")`))

	for range 2 {
		page.Do(chromedp.Evaluate[chromedp.Void](`new Promise((resolve) => {
			new MutationObserver((_, observer) => { observer.disconnect(); resolve(); })
				.observe(document.querySelector("#overview"), { subtree: true, childList: true, characterData: true });
		}).then(() => {})`, chromedp.EvalAwaitPromise))
	}

	if !browsertest.Get(page, chromedp.Evaluate[bool](`window.unfolded.isConnected && window.unfolded.open &&
		document.activeElement.matches("#routes-table summary")`)) {
		t.Error("the policy was folded, or the focus is lost")
	}

	if got := textOf(page, "#routes-table details"); !strings.Contains(got, "order.v1.OrderService.GetOrder") {
		t.Errorf("the policy is %q", got)
	}

	page.Do(chromedp.Evaluate[chromedp.Void](`(() => {
		const filter = document.querySelector("#routes-filter");
		filter.value = "";
		filter.dispatchEvent(new Event("input", { bubbles: true }));
		window.unfolded.open = false;
	})()`))
	comes(page, rows+`.length > 10`)
}
