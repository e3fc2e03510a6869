package command_test

import (
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/portico-gateway/portico/bff/e2e/browsertest"
)

// Parts of the page at "/".
const (
	pageName    = `[data-part="user"] .name`
	pageOrder   = `[data-part="orders"] tbody tr`
	pageNoOrder = `[data-part="orders"] .notice`
	pageNothing = `#parts > .notice`
	orderSwitch = `#switch-order-1`
)

// openDemo opens the page of `portico dev`, logs in as alice, and waits for her orders.
func openDemo(t *testing.T, p *process) *browsertest.Page {
	t.Helper()

	page := openAsNobody(t, p)
	logIn(page, "alice")
	page.Do(chromedp.WaitVisible(chromedp.CSS(pageOrder)))

	return page
}

func textOf(page *browsertest.Page, css string) string {
	return browsertest.Get(page, chromedp.Text(chromedp.CSS(css)))
}

// choose takes an option of a list, as a person does.
func choose(page *browsertest.Page, id, value string) {
	page.Do(chromedp.Evaluate[chromedp.Void](`(() => {
		const list = document.getElementById(` + strconv.Quote(id) + `);
		list.value = ` + strconv.Quote(value) + `;
		list.dispatchEvent(new Event("change"));
	})()`))
}

// What a newcomer does first: look, take a backend away, and give it back.
func TestDemoShowsWhatBecomesOfTheDashboard(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	if first, _, _ := strings.Cut(strings.TrimSpace(p.stdout.String()), "\n"); !strings.Contains(first, p.url+"/") {
		t.Errorf("the welcome begins with %q", first)
	}

	page := openDemo(t, p)
	readable(t, page, "whole")

	if got := browsertest.Get(page, chromedp.Evaluate[string](`document.querySelector("#link-readme").href`)); !strings.HasPrefix(
		got, "https://github.com/portico-gateway/portico") || !strings.HasSuffix(got, "#readme") {
		t.Errorf("it leads to %s to read more", got)
	}

	if got := textOf(page, pageName); got != "Alice Adler" {
		t.Errorf("the user is %q", got)
	}

	if got := textOf(page, "#exchange"); !strings.Contains(got, "GET /v1/me/dashboard") || !strings.Contains(got, "200 OK") {
		t.Errorf("the request is %q", got)
	}

	page.Do(chromedp.Click(chromedp.CSS(orderSwitch)), chromedp.WaitVisible(chromedp.CSS(pageNoOrder)))
	readable(t, page, "degraded")

	if got := textOf(page, pageNoOrder); !strings.Contains(got, "Orders are not available: UNAVAILABLE — ") {
		t.Errorf("the notice is %q", got)
	}

	if got := textOf(page, pageName); got != "Alice Adler" {
		t.Errorf("without orders, the user is %q", got)
	}

	if got := textOf(page, orderSwitch); got != "Start" {
		t.Errorf("the button is %q", got)
	}

	page.Do(chromedp.Click(chromedp.CSS(orderSwitch)), chromedp.WaitVisible(chromedp.CSS(pageOrder)),
		chromedp.WaitNotPresent(chromedp.CSS(pageNoOrder)))

	// The keyboard goes on where it was, though the list was drawn anew.
	if got := browsertest.Get(page, chromedp.Evaluate[string](`document.activeElement.id`)); "#"+got != orderSwitch {
		t.Errorf("the focus is at %q", got)
	}

	page.Phone()

	if got := page.Overflow(); got > 0 {
		t.Errorf("it is %d pixels too wide for a phone", got)
	}

	for _, box := range page.Sideways() {
		t.Errorf("%s has to be scrolled sideways", box)
	}

	readable(t, page, "phone")

	provider := openIDPattern.FindStringSubmatch(p.stdout.String())[1]

	for _, url := range page.Requests() {
		if !strings.HasPrefix(url, p.url+"/") && !strings.HasPrefix(url, provider+"/") {
			t.Errorf("it asks for %s", url)
		}
	}
}

func TestDemoShowsRefusals(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	page := openDemo(t, p)

	choose(page, "path", "/v1/users/bob/dashboard")
	page.Do(chromedp.WaitVisible(chromedp.CSS(pageNothing)))
	page.Expect("status of 403")

	if got := textOf(page, pageNothing); !strings.Contains(got, "PERMISSION_DENIED") {
		t.Errorf("alice asks for bob's: %q", got)
	}

	// Once, the notice was squeezed into the first of two columns.
	if got := browsertest.Get(page, chromedp.Evaluate[float64](
		`document.querySelector("#parts > .notice").offsetWidth / document.querySelector("#parts").offsetWidth`)); got < 0.99 {
		t.Errorf("the notice takes %.2f of the width", got)
	}

	readable(t, page, "refused")

	want(t, "stop", call(t, http.MethodPost, p.admin+"/dev/backends/user/stop", "", ""), http.StatusOK)
	choose(page, "path", "/v1/me/dashboard")
	page.Do(chromedp.WaitVisible(chromedp.CSS(`#parts > .notice.warn`)))
	page.Expect("status of 503")

	if got := textOf(page, pageNothing); !strings.Contains(got, "UNAVAILABLE") || !strings.Contains(got, "without the user backend") {
		t.Errorf("without the user backend: %q", got)
	}

	want(t, "start", call(t, http.MethodPost, p.admin+"/dev/backends/user/start", "", ""), http.StatusOK)
	logOut(page)
	logIn(page, "admin")
	choose(page, "path", "/v1/users/bob/dashboard")
	page.Do(chromedp.WaitVisible(chromedp.CSS(pageOrder)))

	if got := textOf(page, pageName); !strings.HasPrefix(got, "Bob") {
		t.Errorf("staff asks for bob's: %q", got)
	}
}

func TestDemoShowsLimits(t *testing.T) {
	t.Parallel()

	// No machine is so slow that it takes 40 requests in the time for 40.
	config := writeFile(t, "portico.yaml", "policies: [{selector: dashboard.v1.DashboardService.GetMyDashboard, "+
		"set: {rate_limits: [{requests: 20, per: 3600s, burst: 20}]}}]\n")
	p := startDevPrepared(t, binary, t.TempDir(), func(*exec.Cmd) {}, "--config", config)
	page := openDemo(t, p)
	page.Do(chromedp.Click(chromedp.CSS("#burst")), chromedp.WaitVisible(chromedp.CSS("#burst-result .burst-text")))
	got := textOf(page, "#burst-result")

	page.Expect("status of 429")
	page.Screenshot("burst")

	for _, part := range []string{"× 200 OK", "× 429 Too Many Requests", "RateLimit-Policy: ", "Retry-After: "} {
		if !strings.Contains(got, part) {
			t.Errorf("after 40 requests: %q, without %q", got, part)
		}
	}
}

func TestDemoPlacesAnOrderAndFollowsIt(t *testing.T) {
	t.Parallel()

	const pay = `[aria-label="Pay 2 × Oolong tea, 100 g"]`

	p := startDev(t, t.TempDir())
	page := openDemo(t, p)

	page.Do(chromedp.Click(chromedp.CSS("#place")), chromedp.WaitVisible(chromedp.CSS("#watch .badge.pending")),
		chromedp.WaitVisible(chromedp.CSS(pay)))
	page.Do(chromedp.Click(chromedp.CSS(pay)), chromedp.WaitVisible(chromedp.CSS("#watch .badge.paid")),
		chromedp.WaitNotPresent(chromedp.CSS(pay)))
	page.Screenshot("followed")

	if got := textOf(page, pageOrder); !strings.Contains(got, "Oolong") || !strings.Contains(got, "Paid") || !strings.Contains(got, "€17.00") {
		t.Errorf("the newest order is %q", got)
	}
}

func TestDemoKnowsMocks(t *testing.T) {
	t.Parallel()

	p := startMocked(t, "order.v1.OrderService")

	page := openDemo(t, p)
	page.Do(chromedp.WaitVisible(chromedp.CSS(`.service[aria-label="order"] .dot.mock`)))

	if got := textOf(page, `.service[aria-label="order"]`); !strings.Contains(got, "mock, from the proto") || strings.Contains(got, "Stop") {
		t.Errorf("the mock is shown as %q", got)
	}
}

// Tokens are for `portico dev` alone.
func TestDemoIsNotServedInProduction(t *testing.T) {
	t.Parallel()

	dev := startDev(t, t.TempDir())

	p := startServe(t, writeFile(t, "portico.yaml", dev.upstreams(t)+"auth: {disabled: true}\n"))
	for _, path := range []string{"/", "/demo/main.js", "/dev/token?subject=alice", "/dev/info", "/dev/backends"} {
		if got := call(t, http.MethodGet, p.url+path, "", ""); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

// The admin listener is another origin, by its port, and still answers to who clicks on a link.
func TestDemoLinksToTheAdminListener(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	page := openDemo(t, p)
	page.Do(chromedp.Click(chromedp.CSS("#link-upstreams")), chromedp.WaitVisible(chromedp.CSS("pre")))

	if got := textOf(page, "pre"); !strings.Contains(got, `"name":"order"`) {
		t.Errorf("upstreams: %.200s", got)
	}
}
