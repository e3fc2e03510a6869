package sessions_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutToken is one that ends alice's session, with changes.
func (i *scripted) logoutToken(t *testing.T, changes object) string {
	t.Helper()

	claims := object{"sid": "sid of alice", "events": object{logoutEvent: object{}}}
	maps.Copy(claims, changes) // A nil removes one.

	return i.sign(t, claims)
}

// backchannel sends a form as an issuer does.
func (s *site) backchannel(t *testing.T, form string) gatewaytest.Response {
	t.Helper()

	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}

	return s.Do(t, http.MethodPost, "/auth/backchannel-logout", header, form)
}

// Nobody but the issuer ends sessions with logout tokens, and the issuer only with those for this client that are new.
func TestForgedLogoutTokens(t *testing.T) {
	t.Parallel()

	i, now := startScripted(t, nil), time.Now()
	s := startOf(t, i, nil)
	b := s.login(t, "alice")
	evil := authtest.NewSigner(t, "RS256", "key-1")
	claims := authtest.Object{
		"iss": i.url, "aud": clientID, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": "1", "sub": "alice",
		"events": object{logoutEvent: object{}},
	}
	header := func(alg string) object { return object{"alg": alg, "kid": "key-1", "typ": "logout+jwt"} }
	good := i.logoutToken(t, nil)
	part := strings.Split(good, ".")

	i.mu.Lock()
	issued := i.issued[len(i.issued)-3:] // The access token, the ID token and the verifier of the login.
	i.mu.Unlock()

	for name, token := range map[string]string{
		"empty":               "",
		"text":                "x",
		"wrong_issuer":        i.logoutToken(t, object{"iss": "https://evil.example"}),
		"no_issuer":           i.logoutToken(t, object{"iss": nil}),
		"wrong_audience":      i.logoutToken(t, object{"aud": "another"}),
		"no_audience":         i.logoutToken(t, object{"aud": nil}),
		"wrong_key":           evil.Sign(t, header("RS256"), claims),
		"no_algorithm":        authtest.Segment(t, header("none")) + "." + authtest.Segment(t, claims) + ".",
		"symmetric":           authtest.Segment(t, header("HS256")) + "." + authtest.Segment(t, claims) + "." + part[2],
		"signature_of_others": authtest.Segment(t, header("RS256")) + "." + authtest.Segment(t, claims) + "." + part[2],
		"no_signature":        part[0] + "." + part[1] + ".",
		"with_a_nonce":        i.logoutToken(t, object{"nonce": "x"}),
		"with_an_empty_nonce": i.logoutToken(t, object{"nonce": ""}),
		"no_event":            i.logoutToken(t, object{"events": nil}),
		"another_event":       i.logoutToken(t, object{"events": object{"http://schemas.openid.net/event/other": object{}}}),
		"no_id":               i.logoutToken(t, object{"jti": nil}),
		"about_nobody":        i.logoutToken(t, object{"sid": nil}),
		"expired":             i.logoutToken(t, object{"exp": now.Add(-time.Hour).Unix()}),
		"no_expiry":           i.logoutToken(t, object{"exp": nil}),
		"old":                 i.logoutToken(t, object{"iat": now.Add(-time.Hour).Unix()}),
		"of_tomorrow":         i.logoutToken(t, object{"iat": now.Add(24 * time.Hour).Unix(), "exp": now.Add(48 * time.Hour).Unix()}),
		"no_time":             i.logoutToken(t, object{"iat": nil}),
		"access_token":        issued[0],
		"id_token":            issued[1],
		"huge":                good + strings.Repeat("A", 64<<10),
	} {
		if res := s.backchannel(t, url.Values{"logout_token": {token}}.Encode()); res.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}

	for name, form := range map[string]string{
		"twice":   "logout_token=" + good + "&logout_token=" + good,
		"nothing": "",
		"other":   "token=" + good,
		"no_form": `{"logout_token":"` + good + `"}`,
	} {
		if res := s.backchannel(t, form); res.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}

	if res := s.Do(t, http.MethodPost, "/auth/backchannel-logout?logout_token="+good, nil, ""); res.Status != http.StatusBadRequest {
		t.Errorf("in the query: %d %s", res.Status, res.Body)
	}

	s.mustLive(t, b, "alice")

	if res := s.backchannel(t, "logout_token="+good); res.Status != http.StatusOK {
		t.Errorf("without an attack: %d %s", res.Status, res.Body)
	}

	s.mustEnd(t, b)
}

// A logout token that someone has seen does not end the sessions of later.
func TestReplayedLogoutToken(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	s := startOf(t, i, nil)
	first, token := s.login(t, "alice"), i.logoutToken(t, nil)

	if res := s.backchannel(t, "logout_token="+token); res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	s.mustEnd(t, first)

	second := s.login(t, "alice")
	if res := s.backchannel(t, "logout_token="+token); res.Status != http.StatusBadRequest {
		t.Errorf("again: %d %s", res.Status, res.Body)
	}

	s.mustLive(t, second, "alice")
}

// A logout of somebody ends nobody else's session.
func TestLogoutOfOthers(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	s := startOf(t, i, nil)
	alice := s.login(t, "alice")
	i.as("bob")

	bob := s.login(t, "bob")

	for _, claims := range []object{{"sid": "sid of nobody", "sub": "alice"}, {"sid": "sid of bob", "sub": "alice"}} {
		if res := s.backchannel(t, "logout_token="+i.logoutToken(t, claims)); res.Status != http.StatusOK {
			t.Errorf("%v: %d %s", claims, res.Status, res.Body)
		}
	}

	s.mustLive(t, alice, "alice")
	s.mustEnd(t, bob)

	if res := s.backchannel(t, "logout_token="+i.logoutToken(t, object{"sid": nil, "sub": "alice"})); res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	s.mustEnd(t, alice)
}

// Tokens that the issuer has issued for other purposes are no access tokens.
func TestOtherTokensAsBearer(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	tokens := s.otherLogin(t, openidtest.New(t), "alice")

	for name, status := range map[string]int{
		"id_token": http.StatusUnauthorized, "refresh_token": http.StatusUnauthorized, "access_token": http.StatusOK,
	} {
		header := http.Header{"Authorization": {"Bearer " + tokens[name].(string)}}
		if res := s.Do(t, http.MethodGet, getAlice, header, ""); res.Status != status {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}

	b := s.login(t, "alice")
	for _, scheme := range []string{"Bearer ", "Basic ", "Cookie ", ""} {
		header := http.Header{"Authorization": {scheme + b.Jar.Cookie(t, s.URL, sessionCookie)}}
		if res := s.Do(t, http.MethodGet, getAlice, header, ""); res.Status != http.StatusUnauthorized {
			t.Errorf("the cookie as %s: %d %s", scheme, res.Status, res.Body)
		}
	}
}

// Pages have the methods that they are for.
func TestMethodsOfPages(t *testing.T) {
	t.Parallel()

	s := startOf(t, startScripted(t, nil), nil)
	b := s.login(t, "alice")
	header := plus(s.cookies(t, b), csrf())
	get, read, post := []string{http.MethodGet}, []string{http.MethodGet, http.MethodHead}, []string{http.MethodPost}

	for path, methods := range map[string][]string{
		"/auth/login": get, "/auth/callback": get, "/auth/session": read, "/auth/logout": post, "/auth/backchannel-logout": post,
	} {
		for _, method := range []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
			"TRACE", "PROPFIND", "LOGOUT",
		} {
			allowed := strings.Contains(strings.Join(methods, " "), method)
			if allowed && path == "/auth/logout" {
				continue // See below.
			}

			res := s.Do(t, method, path, header, "")
			refused := res.Status == http.StatusMethodNotAllowed || method == http.MethodOptions && res.Status == http.StatusNoContent

			if refused == allowed || res.Status >= http.StatusInternalServerError {
				t.Errorf("%s %s: %d %s", method, path, res.Status, res.Body)
			}
		}
	}

	s.mustLive(t, b, "alice")

	// A program that looks whether the link works does not finish the login.
	other := openidtest.New(t)
	callback := other.Callback(t, s.URL, "/auth/session", "alice")

	if res := other.Fetch(t, http.MethodHead, callback, nil, ""); res.Status != http.StatusMethodNotAllowed || res.Header["Set-Cookie"] != nil {
		t.Errorf("HEAD of the callback: %d %v", res.Status, res.Header)
	}

	other.Open(t, callback, "alice", nil)
	s.mustLive(t, other, "alice")

	if res := s.Do(t, http.MethodPost, "/auth/logout", header, ""); res.Status != http.StatusOK {
		t.Errorf("without an attack: %d %s", res.Status, res.Body)
	}

	s.mustEnd(t, b)
}

// No query is too much for the pages.
func TestHugeQueries(t *testing.T) {
	t.Parallel()

	s := startOf(t, startScripted(t, nil), nil)
	b := openidtest.New(t)
	address := b.Callback(t, s.URL, "/", "alice")
	login := http.Header{"Cookie": {loginCookie + "=" + b.Jar.Cookie(t, s.URL, loginCookie)}}

	for name, query := range map[string]string{
		"state":      "state=" + strings.Repeat("A", 60<<10),
		"names":      strings.Repeat("state&", 10<<10),
		"pairs":      strings.Repeat("a=b&", 15<<10),
		"return_to":  "return_to=/" + strings.Repeat("%2f", 20<<10),
		"codes":      strings.Repeat("code=x&", 8<<10),
		"not_utf8":   "state=%ff%fe&code=%ff&return_to=%ff&error=%ff",
		"bad_escape": "state=%zz&code=%&return_to=%",
		"semicolons": strings.Repeat("state=x;", 100),
	} {
		for _, path := range []string{"/auth/login", "/auth/callback"} {
			res := s.Do(t, http.MethodGet, path+"?"+query, login, "")

			begins := res.Status == http.StatusSeeOther && strings.HasPrefix(res.Header.Get("Location"), s.issuer.URL)
			harmless := path == "/auth/login" && begins

			if !harmless && (res.Status < http.StatusBadRequest || res.Status >= http.StatusInternalServerError) || len(res.Body) > 4<<10 {
				t.Errorf("%s %s: %d, %d bytes", path, name, res.Status, len(res.Body))
			}
		}
	}

	if !s.callback(t, b, address) {
		t.Error("without an attack the login is refused")
	}
}
