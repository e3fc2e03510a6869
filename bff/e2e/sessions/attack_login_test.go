package sessions_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
)

// callback opens the address of a callback in a browser, and reports whether a session began.
func (s *site) callback(t *testing.T, b *openidtest.Browser, address string) bool {
	t.Helper()

	before := b.Jar.Cookie(t, s.URL, sessionCookie)
	step := b.Open(t, address, "", func(u *url.URL) bool { return u.Path != "/auth/callback" }).Steps[0]
	began := b.Jar.Cookie(t, s.URL, sessionCookie) != before

	if began != (step.Status == http.StatusSeeOther) || !began && step.Status != http.StatusBadRequest {
		t.Errorf("a session began: %t, and the response is %d %s", began, step.Status, step.Body)
	}

	return began
}

// changed returns an address with other parameters.
func changed(t *testing.T, address string, change func(url.Values)) string {
	t.Helper()

	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}

	query := u.Query()
	change(query)
	u.RawQuery = query.Encode()

	return u.String()
}

// parameter returns a parameter of an address.
func parameter(t *testing.T, address, name string) (value string) {
	t.Helper()
	changed(t, address, func(query url.Values) { value = query.Get(name) })

	if value == "" {
		t.Fatalf("%s has no %s", address, name)
	}

	return value
}

// An attacker who gets a victim to open the end of the attacker's login does not have the victim work in the attacker's account.
func TestLoginCSRF(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	attacker := openidtest.New(t)
	address := attacker.Callback(t, s.URL, "/", "mallory")

	fresh, atLogin, loggedIn := openidtest.New(t), openidtest.New(t), s.login(t, "alice")
	atLogin.Callback(t, s.URL, "/", "alice")

	for name, victim := range map[string]*openidtest.Browser{"fresh": fresh, "at_login": atLogin, "logged_in": loggedIn} {
		if s.callback(t, victim, address) {
			t.Errorf("%s: the victim is logged in as the attacker", name)
		}
	}

	s.mustLive(t, loggedIn, "alice")

	if !s.callback(t, attacker, address) {
		t.Error("without an attack the login is refused")
	}
}

// Who has seen the address of a callback cannot log in with it, nor with parts of it.
func TestStolenCallback(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)

	for name, attack := range map[string]func(victim *openidtest.Browser, stolen string) (*openidtest.Browser, string){
		"in_another_browser": func(_ *openidtest.Browser, stolen string) (*openidtest.Browser, string) {
			return openidtest.New(t), stolen
		},
		"in_a_browser_that_logs_in": func(_ *openidtest.Browser, stolen string) (*openidtest.Browser, string) {
			attacker := openidtest.New(t)
			attacker.Callback(t, s.URL, "/", "mallory")

			return attacker, stolen
		},
		"code_in_a_login_of_the_attacker": func(_ *openidtest.Browser, stolen string) (*openidtest.Browser, string) {
			attacker := openidtest.New(t)
			own := attacker.Callback(t, s.URL, "/", "mallory")

			return attacker, changed(t, own, func(query url.Values) { query.Set("code", parameter(t, stolen, "code")) })
		},
		"code_without_a_state": func(_ *openidtest.Browser, stolen string) (*openidtest.Browser, string) {
			return openidtest.New(t), changed(t, stolen, func(query url.Values) { query.Del("state") })
		},
		"state_with_a_code_of_the_attacker": func(victim *openidtest.Browser, stolen string) (*openidtest.Browser, string) {
			own := openidtest.New(t).Callback(t, s.URL, "/", "mallory")

			return victim, changed(t, stolen, func(query url.Values) { query.Set("code", parameter(t, own, "code")) })
		},
	} {
		victim := openidtest.New(t)

		if b, address := attack(victim, victim.Callback(t, s.URL, "/", "alice")); s.callback(t, b, address) {
			t.Errorf("%s: the attacker is logged in", name)
		}
	}

	victim := openidtest.New(t)
	if !s.callback(t, victim, victim.Callback(t, s.URL, "/", "alice")) {
		t.Error("without an attack the login is refused")
	}
}

// A callback is good for one session, also if it is opened many times at once.
func TestReplayedCallback(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b := openidtest.New(t)
	address := b.Callback(t, s.URL, "/", "alice")
	login := http.Header{"Cookie": {loginCookie + "=" + b.Jar.Cookie(t, s.URL, loginCookie)}}

	var (
		requests sync.WaitGroup
		sessions atomic.Pointer[string]
	)

	for range 10 {
		requests.Go(func() {
			res := s.Do(t, http.MethodGet, strings.TrimPrefix(address, s.URL), login, "")
			if res.Status == http.StatusBadRequest && res.Header["Set-Cookie"] == nil {
				return
			}

			line := res.Header.Get("Set-Cookie")
			if res.Status != http.StatusSeeOther || !sessions.CompareAndSwap(nil, &line) {
				t.Errorf("one more: %d %s", res.Status, res.Body)
			}
		})
	}

	requests.Wait()

	if sessions.Load() == nil {
		t.Fatal("nobody is logged in")
	}

	b.Jar.Set(t, s.URL, *sessions.Load())

	if s.callback(t, b, address) {
		t.Error("the callback is good for another session later")
	}

	s.mustLive(t, b, "alice")

	if got := s.issuer.Counts(t)["POST /token"]; got != 1 {
		t.Errorf("the code was sent %d times", got)
	}
}

// A cookie that a browser had before its login does not name the session, so that an attacker who has set it has none.
func TestSessionFixation(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	attacker := s.login(t, "mallory")

	for name, planted := range map[string]string{
		"no_session":               strings.Repeat("x", 43),
		"a_session_of_an_attacker": attacker.Jar.Cookie(t, s.URL, sessionCookie),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			victim := openidtest.New(t)
			victim.Jar.Set(t, s.URL, sessionCookie+"="+planted+"; Path=/; Secure; HttpOnly")
			victim.Login(t, s.URL, "/", "alice")

			if victim.Jar.Cookie(t, s.URL, sessionCookie) == planted {
				t.Error("the id is the planted one")
			}

			s.mustLive(t, victim, "alice")

			with := http.Header{"Cookie": {sessionCookie + "=" + planted}}
			gatewaytest.Eventually(t, "the end of the planted session", func() bool {
				return s.Do(t, http.MethodGet, "/auth/session", with, "").Status == http.StatusUnauthorized
			})
		})
	}
}

// A new login ends the session that the browser had, although SameSite keeps its cookie from the callback: that begins at the
// issuer.
func TestLoginEndsTheSessionBefore(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b := s.login(t, "alice")
	before, elsewhere := s.cookies(t, b), s.login(t, "alice")

	address := b.Callback(t, s.URL, "/", "alice")
	s.mustLive(t, b, "alice")

	login := http.Header{"Cookie": {loginCookie + "=" + b.Jar.Cookie(t, s.URL, loginCookie)}}
	if res := s.Do(t, http.MethodGet, strings.TrimPrefix(address, s.URL), login, ""); res.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	gatewaytest.Eventually(t, "the end of the session before", func() bool {
		return s.Do(t, http.MethodGet, "/auth/session", before, "").Status == http.StatusUnauthorized
	})
	s.mustLive(t, elsewhere, "alice")
}
