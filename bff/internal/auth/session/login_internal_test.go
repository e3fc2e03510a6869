package session

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser()
		b.shows("anonymous")

		res := b.send(http.MethodGet, LoginPath+"?return_to=/app%3Fa=b%23c")
		if res.Code != http.StatusSeeOther || res.Header().Get("Location") == "" {
			t.Fatalf("%d %s", res.Code, res.Body)
		}

		cookie := res.Header().Get("Set-Cookie")
		if want := "; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax"; !strings.HasPrefix(cookie, "__Host-portico-login=") ||
			!strings.HasSuffix(cookie, want) {
			t.Errorf("the cookie of a login is %s", cookie)
		}

		to, _ := url.Parse(res.Header().Get("Location"))
		state := to.Query().Get("state")

		res = b.callback(state)
		if res.Code != http.StatusSeeOther || res.Header().Get("Location") != "/app?a=b#c" {
			t.Fatalf("%d %s", res.Code, res.Body)
		}

		cookie = res.Header().Get("Set-Cookie")
		if want := "; Path=/; HttpOnly; Secure; SameSite=Strict"; !strings.HasPrefix(cookie, "__Host-portico-session=") ||
			!strings.HasSuffix(cookie, want) {
			t.Errorf("the cookie of a session is %s", cookie)
		}

		s.counted("login done")
		b.shows("staff:alice with Bearer alice 1")

		// The store has neither the id nor a token.
		memory, _ := s.store.Store.(*Memory)
		for _, key := range memory.sessions.Keys() {
			kept, _ := memory.sessions.Peek(key)
			if strings.Contains(key+string(kept.Data), "alice") || key == b.cookies["__Host-portico-session"] {
				t.Errorf("stored under %s: %q", key, kept.Data)
			}
		}
	})
}

func TestCookieOfALaxSession(t *testing.T) {
	t.Parallel()
	with(t, func(c *config.Sessions) { c.SameSite, c.Cookie = config.SameSiteLax, "__Host-id" }, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser()
		cookie := b.callback(b.begin("/")).Header().Get("Set-Cookie")

		if !strings.HasPrefix(cookie, "__Host-id=") || !strings.HasSuffix(cookie, "; Path=/; HttpOnly; Secure; SameSite=Lax") {
			t.Errorf("got %s", cookie)
		}
	})
}

// What a callback is refused for, and what becomes of the login.
func TestCallback(t *testing.T) {
	t.Parallel()

	down := errors.Join(provider.ErrUnavailable, errors.New("secret of the issuer"))

	for name, tt := range map[string]struct {
		change  func(s *site, b *browser, query url.Values)
		status  int
		outcome string
		// again: the same login may be finished afterwards.
		again bool
	}{
		"no_state":      {func(_ *site, _ *browser, q url.Values) { q.Del("state") }, 400, "refused", true},
		"two_states":    {func(_ *site, _ *browser, q url.Values) { q.Add("state", "x") }, 400, "refused", true},
		"no_base64":     {func(_ *site, _ *browser, q url.Values) { q.Set("state", "*") }, 400, "refused", true},
		"another_state": {func(_ *site, _ *browser, q url.Values) { q.Set("state", "eHh4eA") }, 400, "refused", true},
		"tampered": {func(_ *site, _ *browser, q url.Values) {
			state := []byte(q.Get("state"))
			state[len(state)/2] ^= 1
			q.Set("state", string(state))
		}, 400, "refused", true},
		"another_key":     {func(s *site, _ *browser, _ url.Values) { s.otherKeys() }, 400, "refused", false},
		"no_browser":      {func(_ *site, b *browser, _ url.Values) { delete(b.cookies, loginCookie) }, 400, "refused", false},
		"another_browser": {func(_ *site, b *browser, _ url.Values) { b.cookies[loginCookie] = newSecret() }, 400, "refused", false},
		"odd_browser":     {func(_ *site, b *browser, _ url.Values) { b.cookies[loginCookie] = "x" }, 400, "refused", false},
		"too_late":        {func(*site, *browser, url.Values) { time.Sleep(loginLife) }, 400, "refused", false},
		"mix_up":          {func(s *site, _ *browser, _ url.Values) { s.issuer.mixUp = errors.New("x") }, 400, "refused", false},
		"issuer_is_down":  {func(s *site, _ *browser, _ url.Values) { s.issuer.mixUp = down }, 503, "unavailable", false},
		"denied": {func(_ *site, _ *browser, q url.Values) {
			q.Set("error", "access_denied")
			q.Set("error_description", "<script>")
		}, 403, "denied", true},
		"no_code":         {func(_ *site, _ *browser, q url.Values) { q.Del("code") }, 400, "refused", true},
		"two_codes":       {func(_ *site, _ *browser, q url.Values) { q.Add("code", "x") }, 400, "refused", true},
		"another_code":    {func(_ *site, _ *browser, q url.Values) { q.Set("code", "x") }, 400, "refused", false},
		"exchange_fails":  {func(s *site, _ *browser, _ url.Values) { s.issuer.exchanging = down }, 503, "unavailable", false},
		"nobody":          {func(s *site, _ *browser, _ url.Values) { s.identify = identifies(errors.New("x")) }, 503, "not_accepted", false},
		"no_keys":         {func(s *site, _ *browser, _ url.Values) { s.identify = identifies(down) }, 503, "unavailable", false},
		"store_is_down":   {func(s *site, _ *browser, _ url.Values) { s.store.fail(errors.New("secret of the store")) }, 503, "unavailable", false},
		"nothing_is_odd":  {func(*site, *browser, url.Values) {}, 303, "done", false},
		"another_tab":     {func(_ *site, b *browser, _ url.Values) { b.begin("/other") }, 303, "done", false},
		"just_in_time":    {func(*site, *browser, url.Values) { time.Sleep(loginLife - time.Second) }, 303, "done", false},
		"empty_error_too": {func(_ *site, _ *browser, q url.Values) { q["error"] = []string{"", "x"} }, 403, "denied", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
				b := s.browser()
				state := b.begin("/app")
				query := url.Values{"state": {state}, "code": {state}}
				tt.change(s, b, query)

				res := b.send(http.MethodGet, CallbackPath+"?"+query.Encode())
				if res.Code != tt.status {
					t.Errorf("%d %s", res.Code, res.Body)
				}

				s.counted("login " + tt.outcome)

				if text := res.Body.String(); strings.Contains(text, "secret") || strings.Contains(text, "script") {
					t.Errorf("the response has what only the log may have: %s", text)
				}

				if _, ok := b.cookies[s.cfg.Cookie]; ok != (tt.status == 303) {
					t.Errorf("a session: %t", ok)
				}

				if tt.again != (tt.status != 303 && b.callback(state).Code == 303) {
					t.Errorf("the login can be finished afterwards: %t", !tt.again)
				}
			})
		})
	}
}

func identifies(err error) func(provider.Tokens) error {
	return func(provider.Tokens) error { return err }
}

// A login is finished once, and tokens that begin no session are given back.
func TestCallbackOnce(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser()
		state := b.begin("/")

		if res := b.callback(state); res.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", res.Code, res.Body)
		}

		if res := b.callback(state); res.Code != http.StatusBadRequest {
			t.Errorf("again: %d %s", res.Code, res.Body)
		}

		// The session that a browser has may end with what is given back.
		s.identify = identifies(errors.New("x"))
		b.callback(b.begin("/"))

		other := s.browser()
		other.callback(other.begin("/"))
		synctest.Wait()

		if len(s.issuer.revoked) != 1 || s.issuer.revoked[0] != "refresh 3" {
			t.Errorf("revoked %v", s.issuer.revoked)
		}
	})
}

// A session before a login ends with it, whether or not its cookie comes with the callback.
func TestSessionBeforeALogin(t *testing.T) {
	t.Parallel()

	for name, sent := range map[string]bool{"strict": false, "lax": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
				b := s.browser().login()
				before := b.cookies[s.cfg.Cookie]
				old := s.browser()
				old.cookies[s.cfg.Cookie] = before

				s.issuer.sid = "another"

				state := b.begin("/")
				if !sent {
					delete(b.cookies, s.cfg.Cookie)
				}

				b.callback(state)
				synctest.Wait()

				if b.cookies[s.cfg.Cookie] == before {
					t.Error("the session has the same id")
				}

				b.shows("staff:alice with Bearer alice 2")
				old.shows("anonymous")

				if len(s.issuer.revoked) != 1 || s.issuer.revoked[0] != "refresh 1" {
					t.Errorf("revoked %v", s.issuer.revoked)
				}
			})
		})
	}
}

// A cookie of a session that has ended does not keep anyone from logging in, and each cookie is set once.
func TestLoginWithAStaleCookie(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser()
		state := b.begin("/")
		b.cookies[s.cfg.Cookie] = newSecret()

		res := b.callback(state)
		if cookies := res.Header()["Set-Cookie"]; res.Code != http.StatusSeeOther || len(cookies) != 1 || strings.Contains(cookies[0], "Max-Age") {
			t.Errorf("%d %q", res.Code, cookies)
		}

		b.shows("staff:alice with Bearer alice 1")
	})
}

// Browsers get a page, programs a problem document.
func TestFailedLogin(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		s.issuer.authorizing = provider.ErrUnavailable

		res := s.browser().send(http.MethodGet, LoginPath, "Accept", "text/html,*/*;q=0.8")
		if res.Code != http.StatusServiceUnavailable || !strings.HasPrefix(res.Header().Get("Content-Type"), "text/html") ||
			!strings.Contains(res.Body.String(), "the-request") || !strings.HasPrefix(res.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%d %v %s", res.Code, res.Header(), res.Body)
		}

		for _, accept := range []string{"", "application/json", "*/*", "text/html;q=0"} {
			res := s.browser().send(http.MethodGet, LoginPath, "Accept", accept)
			if res.Header().Get("Content-Type") != problem.ContentType {
				t.Errorf("%q: %v", accept, res.Header())
			}
		}

		s.counted("login unavailable")
	})
}
