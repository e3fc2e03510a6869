package command_test

import (
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/portico-gateway/portico/bff/e2e/browsertest"
)

const sessionCookie = "__Host-portico-session"

// Parts of the page at "/" that are about the session.
const (
	pageLogin     = `#login`
	pageLogout    = `#logout`
	pageLoginLink = pageNothing + ` a[href="/auth/login?return_to=%2F"]`
)

// openAsNobody opens the page of `portico dev`, which shows what an anonymous caller gets.
func openAsNobody(t *testing.T, p *process) *browsertest.Page {
	t.Helper()

	page := browsertest.Open(t)
	page.Expect("status of 401")
	page.Do(chromedp.Navigate(p.url+"/"), chromedp.WaitVisible(chromedp.CSS(pageLogin)),
		chromedp.WaitVisible(chromedp.CSS(pageLoginLink)))

	return page
}

// logIn logs a user in at the provider, as a person does.
func logIn(page *browsertest.Page, user string) {
	page.Do(chromedp.Click(chromedp.CSS(pageLogin)), chromedp.Click(chromedp.CSS(`button[value="`+user+`"]`)),
		chromedp.WaitVisible(chromedp.CSS(pageLogout)))
}

// logOut logs the user out, and waits until the page shows that.
func logOut(page *browsertest.Page) {
	page.Do(chromedp.Click(chromedp.CSS(pageLogout)), chromedp.WaitVisible(chromedp.CSS(pageLogin)))
}

// session is the cookie of the browser's session, or nil.
func session(page *browsertest.Page) *network.Cookie {
	all := page.Cookies()
	if i := slices.IndexFunc(all, func(c *network.Cookie) bool { return c.Name == sessionCookie }); i >= 0 {
		return all[i]
	}

	return nil
}

// endSessions ends all sessions of a user by another request than the page's, which does not hear of it.
func endSessions(t *testing.T, p *process, page *browsertest.Page) {
	t.Helper()

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/auth/logout?everywhere=true", nil)
	if err != nil {
		t.Fatal(err)
	}

	request.Header.Set("X-Csrf", "1")
	request.AddCookie(&http.Cookie{Name: sessionCookie, Value: session(page).Value})

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}

	_ = response.Body.Close()

	if response.StatusCode != http.StatusOK {
		t.Fatalf("logout: %s", response.Status)
	}
}

// showsNothingOfAlice checks that nothing in the document is about alice.
func showsNothingOfAlice(t *testing.T, page *browsertest.Page) {
	t.Helper()

	html := browsertest.Get(page, chromedp.Evaluate[string](`document.documentElement.outerHTML`))
	for _, part := range []string{"Alice", "alice@example.com", "data-order", "Oolong"} {
		if i := strings.Index(html, part); i >= 0 {
			t.Errorf("the page still has %q: %.200q", part, html[i:])
		}
	}
}

// tokens are where a script could find one.
const tokens = `(() => {
	const found = [];
	const look = (where, text) => { if (/eyJ[\w-]{10,}/.test(text)) found.push(where); };
	look("cookie", document.cookie);
	look("document", document.documentElement.outerHTML);
	look("localStorage", JSON.stringify({ ...localStorage }));
	look("sessionStorage", JSON.stringify({ ...sessionStorage }));
	for (const name of Object.getOwnPropertyNames(window)) {
		try { look("window." + name, JSON.stringify(window[name]) ?? ""); } catch { /* It is no data. */ }
	}
	if (document.cookie + localStorage.length + sessionStorage.length !== "00") found.push("something is stored");
	return found;
})()`

var aboutAlice = regexp.MustCompile(`^alice@example.com · session until \d\d:\d\d, without requests until \d\d:\d\d$`)

// refreshes matches two or more in the metrics.
var refreshes = regexp.MustCompile(`portico_session_events_total\{event="refresh",outcome="done"\} ([2-9]|\d\d+)\n`)

// A user logs in, works for longer than an access token is valid, logs out, and goes back.
func TestDemoSessionOfAUser(t *testing.T) {
	t.Parallel()

	config := writeFile(t, "portico.yaml",
		"policies: [{selector: dashboard.v1.DashboardService.GetMyDashboard, set: {rate_limits: [{requests: 1000}]}}]\n")
	p := startDevPrepared(t, binary, t.TempDir(), func(*exec.Cmd) {}, "--config", config, "--openid-token-lifetime", "3s")
	page := openAsNobody(t, p)
	readable(t, page, "nobody")

	if user, got := textOf(page, "#user"), textOf(page, pageNothing); user != "Nobody is logged in." ||
		!strings.Contains(got, "UNAUTHENTICATED") {
		t.Errorf("the caller is %q, and gets %q", user, got)
	}

	logIn(page, "alice")
	page.Do(chromedp.WaitVisible(chromedp.CSS(pageOrder)))
	readable(t, page, "alice")
	checkSession(t, page)

	page.Expect("status of 403")
	choose(page, "path", "/v1/users/bob/dashboard")
	page.Do(chromedp.WaitVisible(chromedp.CSS(pageNothing)))

	if got := textOf(page, pageNothing); !strings.Contains(got, "PERMISSION_DENIED") {
		t.Errorf("alice asks for bob's: %q", got)
	}

	choose(page, "path", "/v1/me/dashboard")

	send := func() {
		page.Do(chromedp.Click(chromedp.CSS("#send")), chromedp.WaitVisible(chromedp.CSS(`#parts[aria-busy="false"] `+pageOrder)))
	}
	eventually(t, "two refreshes, each after half of a token's life", func() bool {
		send()

		return refreshes.MatchString(call(t, http.MethodGet, p.admin+"/metrics", "", "").body)
	})
	send()
	logOut(page)
	checkLoggedOut(t, page)

	// The provider asks again who it is.
	logIn(page, "bob")
	page.Do(chromedp.WaitVisible(chromedp.CSS(pageOrder)))

	offered := browsertest.Get(page, chromedp.Evaluate[[]string](
		`[...document.querySelector("#path").options].map(({ value }) => value)`))
	if got := textOf(page, pageName); !strings.HasPrefix(got, "Bob") || len(offered) != 4 || offered[1] != "/v1/users/bob/dashboard" ||
		strings.Contains(offered[3], shippedOrder) {
		t.Errorf("bob is shown %q, and offered %q", got, offered)
	}
}

// checkSession checks what the page says of alice's session, and that it has nothing but the cookie.
func checkSession(t *testing.T, page *browsertest.Page) {
	t.Helper()

	user, name, about := textOf(page, "#user"), textOf(page, pageName), textOf(page, "#session")
	if user != "Alice Adler" || name != user || !aboutAlice.MatchString(about) {
		t.Errorf("the caller is %q, %q, and the user %q", user, about, name)
	}

	if c := session(page); c == nil || !c.HTTPOnly || !c.Secure || c.SameSite != network.CookieSameSiteStrict || c.Path != "/" ||
		c.Domain != "127.0.0.1" || !c.Session {
		t.Errorf("the cookie is %+v", c)
	}

	if got := browsertest.Get(page, chromedp.Evaluate[[]string](tokens)); len(got) > 0 {
		t.Errorf("a token is in %q", got)
	}

	if got := page.Requests(); slices.ContainsFunc(got, func(url string) bool { return strings.Contains(url, "/dev/token") }) {
		t.Errorf("it asks for a token: %q", got)
	}
}

// checkLoggedOut checks that the browser has kept nothing of alice, and goes back, where nothing of her is shown.
func checkLoggedOut(t *testing.T, page *browsertest.Page) {
	t.Helper()

	if c := session(page); c != nil {
		t.Errorf("after the logout, there is the cookie %+v", c)
	}

	page.Expect("ERR_CACHE_MISS")

	if got := browsertest.Get(page, chromedp.Evaluate[string](
		`fetch("/v1/me/dashboard", { cache: "only-if-cached", mode: "same-origin" }).then((response) => response.text(), () => "nothing")`,
		chromedp.EvalAwaitPromise)); got != "nothing" {
		t.Errorf("the browser has stored %s", got)
	}

	page.Do(chromedp.NavigateBack(), chromedp.WaitVisible(chromedp.CSS(pageLogin)))
	showsNothingOfAlice(t, page)
}

// The page hears of the end of its session from the next response, or looks when it is seen again. It never goes elsewhere by
// itself.
func TestDemoSessionThatEndsElsewhere(t *testing.T) {
	t.Parallel()

	const offered = `#parts[aria-busy="false"] > .notice a`

	p := startDev(t, t.TempDir())
	page := openAsNobody(t, p)

	for i, c := range []struct {
		name   string
		notice func()
	}{
		{"by_a_request", func() { page.Do(chromedp.Click(chromedp.CSS("#send"))) }},
		{"by_an_action", func() { page.Do(chromedp.Click(chromedp.CSS("#place"))) }},
		{"by_the_back_button", func() {
			dispatch(page, `window`, `new PageTransitionEvent("pagehide", { persisted: true })`)
			showsNothingOfAlice(t, page)
			dispatch(page, `window`, `new PageTransitionEvent("pageshow", { persisted: true })`)
		}},
		{"when_seen_again", func() { dispatch(page, `document`, `new Event("visibilitychange")`) }},
	} {
		if i == 0 {
			logIn(page, "alice")
		} else {
			// The session at the provider goes on.
			page.Do(chromedp.Click(chromedp.CSS(pageLogin)))
		}

		page.Do(chromedp.WaitVisible(chromedp.CSS(pageOrder)))
		endSessions(t, p, page)
		c.notice()
		page.Do(chromedp.WaitVisible(chromedp.CSS(pageLogin)), chromedp.WaitVisible(chromedp.CSS(offered)))

		if got := textOf(page, "#user"); got != "Your session has ended." && c.name != "by_the_back_button" {
			t.Errorf("%s: the caller is %q", c.name, got)
		}

		if got := browsertest.Get(page, chromedp.Location()); got != p.url+"/" {
			t.Errorf("%s: the page is %q", c.name, got)
		}

		showsNothingOfAlice(t, page)
	}

	readable(t, page, "ended")
	page.Phone()
	readable(t, page, "phone")

	if got := page.Overflow(); got > 0 {
		t.Errorf("it is %d pixels too wide for a phone", got)
	}
}

func dispatch(page *browsertest.Page, target, event string) {
	page.Do(chromedp.Evaluate[chromedp.Void](target + `.dispatchEvent(` + event + `)`))
}
