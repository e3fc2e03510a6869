package command_test

import (
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/portico-gateway/portico/bff/e2e/browsertest"
)

// Seeded orders of alice: the second one was paid in two parts.
const (
	deliveredOrder = "ord_01kgn4v2c8q3r7m5x9d0w6t1ba"
	shippedOrder   = "ord_01kj2wq5m7t9r4b8x6h3g1f0ca"
)

// drawnCall is a row of the waterfall: its texts, and where its bar begins and ends, as shares of the timeline.
type drawnCall struct {
	Name, Start, Duration string
	From, To              float64
}

// drawnCalls are the rows of the waterfall without that of the response, from top to bottom.
func drawnCalls(page *browsertest.Page) []drawnCall {
	return browsertest.Get(page, chromedp.Evaluate[[]drawnCall](`[...document.querySelectorAll(".waterfall .call")].map((row) => {
		const [name, start, duration] = [...row.cells].map((cell) => cell.innerText.trim());
		const track = row.querySelector(".track").getBoundingClientRect();
		const bar = row.querySelector(".track span").getBoundingClientRect();
		const share = (x) => (x - track.left) / track.width;
		return { Name: name, Start: start, Duration: duration, From: share(bar.left), To: share(bar.right) };
	})`))
}

// names are those of calls, sorted.
func names(calls []drawnCall) []string {
	all := make([]string, 0, len(calls))
	for _, c := range calls {
		all = append(all, strings.Join(strings.Fields(c.Name), " "))
	}

	slices.Sort(all)

	return all
}

// millis reads "3.1 ms".
func millis(t *testing.T, text string) float64 {
	t.Helper()

	value, err := strconv.ParseFloat(strings.TrimSuffix(text, " ms"), 64)
	if err != nil {
		t.Fatal(err)
	}

	return value
}

func TestDemoDrawsTheCallsOfTheDashboard(t *testing.T) {
	t.Parallel()

	page := openDemo(t, startDev(t, t.TempDir()))
	calls := drawnCalls(page)

	if got, want := names(calls), []string{"GetProfile profile", "GetUser user", "ListOrders order"}; !slices.Equal(got, want) {
		t.Fatalf("calls %q, want %q", got, want)
	}

	if !slices.IsSortedFunc(calls, func(a, b drawnCall) int { return int(millis(t, a.Start)*10) - int(millis(t, b.Start)*10) }) {
		t.Errorf("not in the order of their starts: %v", calls)
	}

	for _, c := range calls {
		if c.From < 0 || c.To <= c.From || c.To > 1.02 || millis(t, c.Duration) < 0 {
			t.Errorf("drawn as %+v", c)
		}
	}
}

// What needs the order begins after it, and its payments are one call.
func TestDemoDrawsTheCallsOfAnOrderPage(t *testing.T) {
	t.Parallel()

	config := writeFile(t, "portico.yaml",
		"cache: {disabled: true}\n"+
			"policies: [{selector: orderpage.v1.OrderPageService.GetOrderPage, set: {rate_limits: [{requests: 1000}]}}]\n")
	page := openDemo(t, startDevPrepared(t, binary, t.TempDir(), func(*exec.Cmd) {}, "--config", config))

	choose(page, "path", "/v1/orders/"+shippedOrder+"/page")
	page.Do(chromedp.WaitVisible(chromedp.CSS(`[data-part="payments"] [data-payment] + [data-payment]`)))
	readable(t, page, "desktop")

	for part, want := range map[string]string{
		"order": "Climbing shoes and 1 more", "buyer": "Wien, AT", "payments": "Card, 4242", "notifications": "Your order was shipped",
	} {
		if got := textOf(page, `[data-part="`+part+`"]`); !strings.Contains(got, want) {
			t.Errorf("%s: %q", part, got)
		}
	}

	want := []string{"BatchGetPayments payment", "GetOrder order", "GetProfile profile", "ListNotifications notification"}

	var calls []drawnCall

	// On a busy machine a call may come late to its batch.
	eventually(t, "the calls "+strings.Join(want, ", "), func() bool {
		calls = drawnCalls(page)
		if slices.Equal(names(calls), want) {
			return true
		}

		page.Do(chromedp.Click(chromedp.CSS("#send")), chromedp.WaitVisible(chromedp.CSS(`#parts[aria-busy="false"]`)))

		return false
	})

	// Times are rounded to a tenth of a millisecond.
	const rounded = 0.2

	end := millis(t, calls[0].Start) + millis(t, calls[0].Duration) - rounded
	for _, c := range calls[1:] {
		if millis(t, c.Start) < end || c.From <= calls[0].From {
			t.Errorf("%+v does not begin after %+v", c, calls[0])
		}
	}

	page.Phone()
	readable(t, page, "phone")

	if got := page.Overflow(); got > 0 {
		t.Errorf("it is %d pixels too wide for a phone", got)
	}

	for _, box := range page.Sideways() {
		t.Errorf("%s has to be scrolled sideways", box)
	}

	if got := browsertest.Get(page, chromedp.Evaluate[float64](`document.querySelector(".waterfall .track").offsetWidth`)); got < 200 {
		t.Errorf("on a phone the timeline has %.0f pixels", got)
	}
}

func TestDemoOpensAnOrderAndShowsWhatIsMissing(t *testing.T) {
	t.Parallel()

	const payments = `[data-part="payments"] .notice`

	p := startDev(t, t.TempDir())
	page := openDemo(t, p)

	page.Do(chromedp.Click(chromedp.CSS("#Open-"+deliveredOrder)), chromedp.WaitVisible(chromedp.CSS(`[data-part="payments"]`)))

	if got := textOf(page, "#exchange"); !strings.Contains(got, "GET /v1/orders/"+deliveredOrder+"/page") {
		t.Errorf("the request is %q", got)
	}

	if got := textOf(page, `[data-part="payments"] tbody`); !strings.Contains(got, "€14.90 refunded") {
		t.Errorf("payments: %q", got)
	}

	page.Do(chromedp.Click(chromedp.CSS("#switch-payment-1")), chromedp.WaitVisible(chromedp.CSS(payments)))

	if got := textOf(page, payments); !strings.Contains(got, "Payments are not available: UNAVAILABLE — ") {
		t.Errorf("the notice is %q", got)
	}

	if got := names(drawnCalls(page)); !slices.Contains(got, "BatchGetPayments payment UNAVAILABLE") &&
		!slices.Contains(got, "GetPayment payment UNAVAILABLE") {
		t.Errorf("the calls are %q", got)
	}

	want(t, "stop", call(t, http.MethodPost, p.admin+"/dev/backends/order/stop", "", ""), http.StatusOK)
	page.Do(chromedp.Click(chromedp.CSS("#send")), chromedp.WaitVisible(chromedp.CSS(pageNothing)))
	page.Expect("status of 503")

	if got := textOf(page, pageNothing); !strings.Contains(got, "No page of the order: UNAVAILABLE") {
		t.Errorf("without orders: %q", got)
	}
}

// Several parts are missing at once, on the narrowest of phones, and the keyboard alone switches the backends.
func TestDemoShowsSeveralMissingPartsOnAPhone(t *testing.T) {
	t.Parallel()

	const notices = `#parts [data-part] .notice`

	p := startDev(t, t.TempDir())
	page := openDemo(t, p)
	page.Phone()
	choose(page, "path", "/v1/orders/"+shippedOrder+"/page")
	page.Do(chromedp.WaitVisible(chromedp.CSS(`[data-part="payments"] [data-payment]`)))

	for i, service := range []string{"profile", "payment", "notification"} {
		page.Do(chromedp.SendKeys(chromedp.CSS("#switch-"+service+"-1"), "\r"))

		// The page may have the profile from the cache.
		if service != "profile" {
			page.Do(chromedp.WaitVisible(chromedp.CSS(`[data-part="` + service + `s"] .notice`)))
		}

		page.Do(chromedp.WaitVisible(chromedp.CSS(`#parts[aria-busy="false"]`)))

		if got := browsertest.Get(page, chromedp.Evaluate[string](`document.activeElement.id`)); got != "switch-"+service+"-1" {
			t.Errorf("after %d, the focus is at %q", i, got)
		}
	}

	readable(t, page, "missing")

	// Once, the numbers had no headings on a phone.
	if got := browsertest.Get(page, chromedp.Evaluate[float64](`document.querySelector(".waterfall th.number").getBoundingClientRect().left`)); got < 0 {
		t.Errorf("the headings of the calls begin at %.0f", got)
	}

	texts := browsertest.Get(page, chromedp.Evaluate[[]string](`[...document.querySelectorAll("`+notices+`")].map((notice) => notice.innerText)`))
	if len(texts) < 2 {
		t.Errorf("notices: %q", texts)
	}

	for _, text := range texts {
		if !strings.Contains(text, " not available: UNAVAILABLE — ") || strings.Contains(text, "complete") {
			t.Errorf("a notice is %q", text)
		}
	}

	if got := textOf(page, "#announcement"); !strings.Contains(got, "without payments") {
		t.Errorf("screen readers are told %q", got)
	}

	if got := page.Overflow(); got > 0 {
		t.Errorf("it is %d pixels too wide", got)
	}

	for _, box := range page.Sideways() {
		t.Errorf("%s has to be scrolled sideways", box)
	}
}

func TestDemoSaysThatACachedResponseNeededNoCall(t *testing.T) {
	t.Parallel()

	config := writeFile(t, "portico.yaml",
		"policies: [{selector: dashboard.v1.DashboardService.GetMyDashboard, set: {cache: {ttl: 3600s}}}]\n")
	page := openDemo(t, startDevPrepared(t, binary, t.TempDir(), func(*exec.Cmd) {}, "--config", config))

	if got := len(drawnCalls(page)); got != 3 {
		t.Errorf("the first response: %d calls", got)
	}

	page.Do(chromedp.Click(chromedp.CSS("#send")), chromedp.WaitVisible(chromedp.CSS("#calls > p:only-child")))

	if got := textOf(page, "#calls"); got != "No call was made for this response: it came from a cache." {
		t.Errorf("the second response: %q", got)
	}
}
