package command_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/portico-gateway/portico/bff/e2e/browsertest"
)

// Parts of the page at /docs.
const (
	myDashboard = `.opblock[id$="DashboardService_GetMyDashboard"]`
	watchOrder  = `.opblock[id$="OrderService_WatchOrder"]`
	createOrder = `.opblock[id$="OrderService_CreateOrder"]`
)

// openDocs opens the page of `portico dev` and waits for the description.
func openDocs(t *testing.T, p *process) *browsertest.Page {
	t.Helper()

	page := browsertest.Open(t)
	page.Expect("status of 401") // It asks whether the browser has a session.
	page.Do(chromedp.Navigate(p.url+"/docs"), chromedp.WaitVisible(chromedp.CSS(myDashboard)))

	return page
}

// readable holds that people can read what a page shows, in light and in dark colours.
func readable(t *testing.T, page *browsertest.Page, what string) {
	t.Helper()

	for name, dark := range map[string]bool{"light": false, "dark": true} {
		page.Dark(dark)
		page.Screenshot(what + "-" + name)

		for _, fault := range page.LowContrast() {
			t.Errorf("%s, %s: hard to read: %s", what, name, fault)
		}
	}
}

// execute sends the request of an operation, which is open, and returns status and body as the page shows them.
func execute(page *browsertest.Page, operation string) (status, body string) {
	answer := operation + ` .live-responses-table`

	page.Do(
		chromedp.Click(chromedp.CSS(operation+` button.execute`)),
		chromedp.WaitVisible(chromedp.CSS(answer+` tbody .response-col_status`)),
		chromedp.WaitNotPresent(chromedp.CSS(operation+` .loading-container`)),
	)

	return strings.TrimSpace(browsertest.Get(page, chromedp.Text(chromedp.CSS(answer+` tbody .response-col_status`)))),
		browsertest.Get(page, chromedp.Text(chromedp.CSS(answer+` .response-col_description .highlight-code code`)))
}

// A client engineer comes with nothing but the URL of the page.
func TestDocsFromNothingToTheDashboard(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	if !strings.Contains(p.stdout.String(), "/docs") {
		t.Errorf("the welcome does not tell of the page: %s", p.stdout)
	}

	page := openDocs(t, p)
	page.Screenshot("list")

	if got := browsertest.Get(page, chromedp.Text(chromedp.CSS(`.opblock[id$="UserService_ListUsers"] .enforced-short`))); !strings.Contains(
		got, "users:admin") || !strings.Contains(got, "50/1s") {
		t.Errorf("the list of operations shows %q of who may list users how often", got)
	}

	page.Do(chromedp.Click(chromedp.CSS(myDashboard+` .opblock-summary-control`)),
		chromedp.WaitVisible(chromedp.CSS(myDashboard+` button.execute`)))

	shown := browsertest.Get(page, chromedp.Text(chromedp.CSS(myDashboard)))
	for _, want := range []string{
		"Who: any caller with a valid credential", "How often: 10 requests a second", "How long: at most 2s",
		"Enforced by the gateway", "10/1s burst 20 per principal", "dashboard.v1.DashboardService/GetMyDashboard",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the operation does not say %q", want)
		}
	}

	if status, body := execute(page, myDashboard); status != "401" || !strings.Contains(body, "UNAUTHENTICATED") {
		t.Errorf("without a token: %s %s", status, body)
	}

	page.Screenshot("no-token")
	page.Do(chromedp.SendKeys(chromedp.CSS("#token"), p.token(t, "alice")), chromedp.Click(chromedp.CSS("#token-form .main")),
		chromedp.WaitVisible(chromedp.CSS("#forget")))

	if got := browsertest.Get(page, chromedp.Text(chromedp.CSS("#token-status"))); !strings.HasPrefix(got, "alice · no scopes · until ") {
		t.Errorf("the token is described as %q", got)
	}

	if status, body := execute(page, myDashboard); status != "200" || !strings.Contains(body, `"userId": "alice"`) {
		t.Errorf("with a token: %s %s", status, body)
	}

	page.Do(chromedp.Click(chromedp.CSS(`.models-control`)), chromedp.WaitVisible(chromedp.CSS(`.json-schema-2020-12-accordion`)),
		chromedp.Click(chromedp.CSS(`.json-schema-2020-12-expand-deep-button`)))
	readable(t, page, "dashboard")

	if kept := browsertest.Get(page, chromedp.Evaluate[int](`localStorage.length + sessionStorage.length + document.cookie.length`)); kept != 0 {
		t.Error("the page stores something")
	}

	for _, url := range page.Requests() {
		if !strings.HasPrefix(url, p.url+"/") {
			t.Errorf("a request to elsewhere: %s", url)
		}
	}
}

// Tokens for development, what another caller may, a stream that goes on, and the search.
func TestDocsInDevelopment(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	created := want(t, "create", call(t, http.MethodPost, p.url+"/v1/orders", p.token(t, "bob"), `{"items": [
		{"sku": "TEA-1", "title": "Tea", "quantity": 1, "unitPrice": {"currencyCode": "EUR", "units": "4"}}]}`),
		http.StatusCreated).json(t)

	page := openDocs(t, p)
	page.Do(
		chromedp.Clear(chromedp.CSS("#subject")), chromedp.SendKeys(chromedp.CSS("#subject"), "bob"),
		chromedp.SendKeys(chromedp.CSS("#scopes"), "orders:admin users:admin"),
		chromedp.Click(chromedp.CSS("#subject-form button")), chromedp.WaitVisible(chromedp.CSS("#forget")))

	if got := browsertest.Get(page, chromedp.Text(chromedp.CSS("#token-status"))); !strings.HasPrefix(
		got, "bob · scopes orders:admin users:admin · until ") {
		t.Errorf("the token is described as %q", got)
	}

	page.Do(chromedp.SendKeys(chromedp.CSS(`.operation-filter-input`), ":WATCH"),
		chromedp.WaitNotPresent(chromedp.CSS(myDashboard)), chromedp.WaitVisible(chromedp.CSS(watchOrder)),
		chromedp.Click(chromedp.CSS(watchOrder+` .opblock-summary-control`)),
		chromedp.SendKeys(chromedp.CSS(watchOrder+` tr[data-param-name="order_id"] input`), created["orderId"].(string)))

	// The stream lasts until the order is settled; the page shows what came so far.
	if status, body := execute(page, watchOrder); status != "200" || !strings.Contains(body, "ORDER_STATUS_PENDING") {
		t.Errorf("the stream: %s %s", status, body)
	}

	// The messages of a stream have a schema and an example, which is as they are sent.
	if got := browsertest.Get(page, chromedp.Text(chromedp.CSS(watchOrder+` .responses-table .model-example .microlight`))); !strings.HasPrefix(
		got, `{"changeTime":"`) {
		t.Errorf("the example of the stream is %q", got)
	}

	page.Do(chromedp.Click(chromedp.CSS(watchOrder+` .responses-table .model-example .tabitem:not(.active) button`)),
		chromedp.WaitVisible(chromedp.CSS(watchOrder+` .responses-table .model-example .json-schema-2020-12`)))

	if got := browsertest.Get(page, chromedp.Text(chromedp.CSS(watchOrder+` .responses-table .model-example`))); !strings.Contains(
		got, "changeTime") {
		t.Errorf("the schema of the stream is %q", got)
	}

	if got := browsertest.Get(page, chromedp.Text(chromedp.CSS(watchOrder+` tr[data-param-name="order_id"] .parameter__type`))); got != "string" {
		t.Errorf("the type of order_id is %q", got)
	}

	readable(t, page, "stream")
	page.Do(chromedp.Click(chromedp.CSS("#forget")), chromedp.WaitNotVisible(chromedp.CSS("#forget")))

	if status, _ := execute(page, watchOrder); status != "401" {
		t.Errorf("with the token forgotten: %s", status)
	}

	page.Do(chromedp.SendKeys(chromedp.CSS(`.operation-filter-input`), "zz"), chromedp.WaitVisible(chromedp.CSS(".nothing")))

	if got := browsertest.Get(page, chromedp.Text(chromedp.CSS(".nothing"))); !strings.Contains(got, `No route has “:WATCHzz”`) {
		t.Errorf("the search says %q", got)
	}

	readable(t, page, "nothing-found")
}

// A user who has logged in needs no token, and can also change something.
func TestDocsWithASession(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	page := browsertest.Open(t)
	page.Do(chromedp.Navigate(p.url+"/auth/login?return_to=/docs/"), chromedp.Click(chromedp.CSS(`button[value="alice"]`)),
		chromedp.WaitVisible(chromedp.CSS(myDashboard+` .opblock-summary-control`)),
		chromedp.Click(chromedp.CSS(myDashboard+` .opblock-summary-control`)),
		chromedp.WaitVisible(chromedp.CSS(myDashboard+` button.execute`)))

	if status, body := execute(page, myDashboard); status != "200" || !strings.Contains(body, `"userId": "alice"`) {
		t.Errorf("the dashboard: %s %s", status, body)
	}

	if got := browsertest.Get(page, chromedp.Text(chromedp.CSS("#token-status"))); !strings.HasPrefix(got, "No token: requests use the session of alice · ") {
		t.Errorf("the page says %q", got)
	}

	page.Do(chromedp.Click(chromedp.CSS(createOrder+` .opblock-summary-control`)),
		chromedp.WaitVisible(chromedp.CSS(createOrder+` button.execute`)))

	// Without the header it would be 403.
	if status, body := execute(page, createOrder); status != "201" {
		t.Errorf("an order like the example: %s %s", status, body)
	}
}

func TestDocsOnAPhone(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	page := browsertest.Open(t)
	page.Expect("status of 401")
	page.Phone()
	page.Do(chromedp.Navigate(p.url+"/docs"), chromedp.WaitVisible(chromedp.CSS(myDashboard)))
	page.Screenshot("list")
	page.Do(chromedp.Click(chromedp.CSS(`#subject-form button`)), chromedp.WaitVisible(chromedp.CSS("#forget")),
		chromedp.Click(chromedp.CSS(myDashboard+` .opblock-summary-control`)),
		chromedp.WaitVisible(chromedp.CSS(myDashboard+` button.execute`)))

	if status, body := execute(page, myDashboard); status != "200" || !strings.Contains(body, `"userId": "alice"`) {
		t.Errorf("%s %s", status, body)
	}

	readable(t, page, "dashboard")

	if got := page.Overflow(); got > 0 {
		t.Errorf("the page is %d pixels wider than the phone", got)
	}

	for _, box := range page.Sideways() {
		t.Errorf("%s has to be scrolled sideways", box)
	}
}
