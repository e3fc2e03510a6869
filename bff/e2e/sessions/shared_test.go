package sessions_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
)

// A session is one of all gateways, wherever it began, and so is a login.
func TestSharedSession(t *testing.T) {
	t.Parallel()

	p := startPair(t, func(publicURL string) string { return startIssuer(t, publicURL, nil).URL }, nil)

	p.each(func(one, other *site) {
		b := one.loginAt(t, p.a)

		for _, s := range []*site{one, other} {
			s.mustLive(t, b, "alice")

			if res := s.send(t, b, http.MethodPost, "/v1/orders", gatewaytest.OrderFor("alice")); res.Status != http.StatusCreated {
				t.Errorf("%d %s", res.Status, res.Body)
			}
		}

		begun := openidtest.New(t)
		address := strings.TrimPrefix(begun.Callback(t, one.URL, "/", "alice"), p.a.URL)

		if !other.callback(t, begun, other.URL+address) {
			t.Error("a login that began at one gateway is refused by the other")
		}

		if one.callback(t, begun, one.URL+address) {
			t.Error("a callback was good for a session of each gateway")
		}
	})
}

// What ends at one gateway ends at the other.
func TestSharedEnd(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	p := startPairOf(t, i, nil)

	for name, end := range map[string]func(one *site, b *openidtest.Browser) gatewaytest.Response{
		"logout": func(one *site, b *openidtest.Browser) gatewaytest.Response {
			return one.Do(t, http.MethodPost, "/auth/logout", plus(one.cookies(t, b), csrf()), "")
		},
		"everywhere": func(one *site, _ *openidtest.Browser) gatewaytest.Response {
			return one.send(t, one.loginAt(t, p.a), http.MethodPost, "/auth/logout?everywhere=true", "")
		},
		"by_the_issuer": func(one *site, _ *openidtest.Browser) gatewaytest.Response {
			return one.backchannel(t, "logout_token="+i.logoutToken(t, nil))
		},
		"user_by_the_issuer": func(one *site, _ *openidtest.Browser) gatewaytest.Response {
			return one.backchannel(t, "logout_token="+i.logoutToken(t, object{"sid": nil, "sub": "alice"}))
		},
	} {
		p.each(func(one, other *site) {
			b := other.loginAt(t, p.a)
			one.mustLive(t, b, "alice")
			other.mustLive(t, b, "alice")

			if res := end(one, b); res.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", name, res.Status, res.Body)
			}

			other.mustEndSoon(t, b, name)
			one.mustEnd(t, b)
		})
	}

	if res := p.b.backchannel(t, "logout_token="+i.logoutToken(t, object{"jti": "once"})); res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	if res := p.a.backchannel(t, "logout_token="+i.logoutToken(t, object{"jti": "once"})); res.Status != http.StatusBadRequest {
		t.Errorf("a logout token is good once at each gateway: %d %s", res.Status, res.Body)
	}
}

// While Redis is down nobody is logged out: sessions work again when it is back.
func TestRedisIsDown(t *testing.T) {
	t.Parallel()

	p := startPairOf(t, startScripted(t, nil), nil)
	b := p.a.login(t, "alice")
	before := b.Jar.Cookie(t, p.a.URL, sessionCookie)
	begun := openidtest.New(t)
	callback := begun.Callback(t, p.a.URL, "/", "alice")

	p.redis.Do("SAVE")
	p.redis.Stop()

	for _, s := range []*site{p.a, p.b} {
		for path, method := range map[string]string{
			getAlice: http.MethodGet, echo: http.MethodGet, "/auth/session": http.MethodGet,
			"/auth/logout": http.MethodPost, "/v1/orders": http.MethodPost,
		} {
			res := s.send(t, b, method, path, "")
			if res.Status != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || res.Header["Set-Cookie"] != nil ||
				res.Problem(t)["login"] != nil {
				t.Errorf("%s %s: %d %v %s", method, path, res.Status, res.Header, res.Body)
			}
		}

		if res := s.Do(t, http.MethodGet, getAlice, s.As(t, "alice"), ""); res.Status != http.StatusOK {
			t.Errorf("with a token: %d %s", res.Status, res.Body)
		}
	}

	res := begun.Fetch(t, http.MethodGet, callback, nil, "")
	if res.Status != http.StatusServiceUnavailable || res.Header["Set-Cookie"] != nil {
		t.Errorf("a login: %d %s", res.Status, res.Body)
	}

	p.redis.Restart()

	for _, s := range []*site{p.a, p.b} {
		gatewaytest.Eventually(t, "service", func() bool { return s.get(t, b, getAlice).Status == http.StatusOK })
		s.mustLive(t, b, "alice")
	}

	if b.Jar.Cookie(t, p.a.URL, sessionCookie) != before {
		t.Error("the cookie has changed")
	}

	if !p.a.callback(t, begun, callback) {
		t.Error("a login that could not be finished is refused when Redis is back")
	}
}

// What is in Redis says nothing of anyone: not who has a session, nor what it is good for.
func TestRedisTellsNothing(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	p := startPairOf(t, i, nil)
	b := p.a.login(t, "alice")

	p.b.mustLive(t, b, "alice")
	p.b.backchannel(t, "logout_token="+i.logoutToken(t, object{"sid": "sid of nobody", "jti": "the id of a logout"}))

	var kept strings.Builder

	keys := elements(p.redis.Do("KEYS", "*"))
	for _, key := range keys {
		kept.WriteString(key + "\n")

		switch kind := p.redis.Do("TYPE", key); {
		case strings.HasPrefix(kind, "+hash"):
			kept.WriteString(p.redis.Do("HGETALL", key))
		case strings.HasPrefix(kind, "+zset"):
			kept.WriteString(p.redis.Do("ZRANGE", key, "0", "-1"))
		case strings.HasPrefix(kind, "+string"):
			kept.WriteString(p.redis.Do("GET", key))
		default:
			t.Errorf("%s is a %s", key, kind)
		}
	}

	if count := strings.Count(kept.String(), "portico:session"); count < 5 {
		t.Errorf("%d keys are those of sessions: %q", count, keys)
	}

	i.mu.Lock()
	defer i.mu.Unlock()

	secrets := append(slices.Clone(i.issued), b.Jar.Cookie(t, p.a.URL, sessionCookie), b.Jar.Cookie(t, p.a.URL, loginCookie),
		"alice", "sid of", "the id of a logout", i.url, "localhost", "127.0.0.1", "orders:read", "Bearer", `"sub"`, `"access"`)

	for _, secret := range secrets {
		if secret == "" || strings.Contains(kept.String(), secret) {
			t.Errorf("%q is in Redis", secret)
		}
	}
}

// elements are the bulk strings of a reply of Redis.
func elements(reply string) (out []string) {
	for line := range strings.SplitSeq(reply, "\r\n") {
		if line != "" && !strings.ContainsAny(line[:1], "*$") {
			out = append(out, line)
		}
	}

	return out
}

// A gateway with other keys reads none of the sessions in the same Redis, and takes nothing from their owners.
func TestOtherKeys(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	p := startPairOf(t, i, nil)
	foreign := p.open(t, newPlace(t), &servers.Issuer{URL: i.url}, p.a.URL, func(c *config.Config) {
		c.Auth.Sessions.Keys = []string{keyOf("x")}
	})
	b := p.a.login(t, "alice")

	if res := foreign.Do(t, http.MethodGet, getAlice, foreign.cookies(t, b), ""); res.Status != http.StatusUnauthorized {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	begun := openidtest.New(t)
	address := strings.TrimPrefix(begun.Callback(t, p.a.URL, "/", "alice"), p.a.URL)

	if foreign.callback(t, begun, foreign.URL+address) {
		t.Error("a login that began under other keys was finished")
	}

	p.a.mustLive(t, b, "alice")
	p.b.mustLive(t, b, "alice")

	if !p.b.callback(t, begun, p.b.URL+address) {
		t.Error("without an attack the login is refused")
	}
}

// Keys are replaced without a logout: the new one is known everywhere before any gateway seals with it, and the old one goes when
// nothing is sealed with it any more.
func TestKeysAreReplaced(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	dir := t.TempDir()
	fileA, fileB := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write := func(file string, keys ...string) {
		if err := os.WriteFile(file, []byte(strings.Join(keys, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	write(fileA, keyOf("o"))
	write(fileB, keyOf("o"))

	files := []string{fileA, fileB}
	p := startPairOf(t, i, func(c *config.Config) {
		c.Auth.Sessions.Keys, c.Auth.Sessions.KeysFile, files = nil, files[0], files[1:]
	})
	replace := func(s *site, file string, keys ...string) {
		t.Helper()

		before := strings.Count(s.Logs.String(), "file read again")
		write(file, keys...)
		gatewaytest.Eventually(t, "the file being read", func() bool {
			return strings.Count(s.Logs.String(), "file read again") > before
		})
	}

	all := []*openidtest.Browser{p.a.login(t, "alice")}
	check := func(step string) {
		t.Helper()

		all = append(all, p.a.loginAt(t, p.a), p.b.loginAt(t, p.a))

		for n, b := range all {
			for _, s := range []*site{p.a, p.b} {
				if res := s.get(t, b, "/auth/session"); res.Status != http.StatusOK {
					t.Errorf("%s: session %d: %d %s", step, n, res.Status, res.Body)
				}
			}
		}
	}
	before, after := keyOf("o"), keyOf("n")

	for _, step := range []struct {
		name   string
		site   *site
		file   string
		list   []string
		forget bool
	}{
		{"known_to_a", p.a, fileA, []string{before, after}, false},
		{"known_to_b", p.b, fileB, []string{before, after}, false},
		{"used_by_a", p.a, fileA, []string{after, before}, false},
		{"used_by_b", p.b, fileB, []string{after, before}, false},
		{"old_one_removed_from_a", p.a, fileA, []string{after}, true},
		{"old_one_removed_from_b", p.b, fileB, []string{after}, false},
	} {
		if step.forget { // The sessions of before have ended.
			all = all[len(all)-2:]
		}

		replace(step.site, step.file, step.list...)
		check(step.name)
	}
}
