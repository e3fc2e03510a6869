package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/vault"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Which requests with the session may change something, by where browsers say that they come from.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()

	own := []string{"X-Csrf", "1"}

	for name, tt := range map[string]struct {
		method string
		header []string
		ok     bool
	}{
		"read":                   {"GET", nil, true},
		"read_from_elsewhere":    {"GET", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, true},
		"head":                   {"HEAD", []string{"Sec-Fetch-Site", "cross-site"}, true},
		"options":                {"OPTIONS", []string{"Sec-Fetch-Site", "cross-site"}, true},
		"own_page":               {"POST", []string{"Sec-Fetch-Site", "same-origin", "X-Csrf", "1"}, true},
		"any_value":              {"POST", []string{"Sec-Fetch-Site", "same-origin", "X-Csrf", "x y"}, true},
		"empty_header":           {"POST", []string{"Sec-Fetch-Site", "same-origin", "X-Csrf", ""}, false},
		"no_header":              {"POST", []string{"Sec-Fetch-Site", "same-origin"}, false},
		"typed_by_the_user":      {"POST", append([]string{"Sec-Fetch-Site", "none"}, own...), true},
		"cross_site":             {"POST", append([]string{"Sec-Fetch-Site", "cross-site"}, own...), false},
		"same_site":              {"POST", append([]string{"Sec-Fetch-Site", "same-site"}, own...), false},
		"same_site_trusted":      {"POST", append([]string{"Sec-Fetch-Site", "same-site", "Origin", "https://trusted.example"}, own...), true},
		"trusted_without_header": {"POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://trusted.example"}, false},
		"trusted_over_http":      {"POST", append([]string{"Sec-Fetch-Site", "same-site", "Origin", "http://trusted.example"}, own...), false},
		"old_browser":            {"POST", append([]string{"Origin", "https://app.example"}, own...), true},
		"old_browser_elsewhere":  {"POST", append([]string{"Origin", "https://evil.example"}, own...), false},
		"old_browser_null":       {"POST", append([]string{"Origin", "null"}, own...), false},
		"another_host_of_proxy":  {"POST", append([]string{"Origin", "https://app.example", "Host", "internal:8080"}, own...), true},
		"no_browser":             {"POST", own, true},
		"put":                    {"PUT", []string{"Sec-Fetch-Site", "cross-site"}, false},
		"patch":                  {"PATCH", nil, false},
		"delete":                 {"DELETE", nil, false},
		"unknown_method":         {"PURGE", []string{"Sec-Fetch-Site", "cross-site", "X-Csrf", "1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
				res := s.browser().login().send(tt.method, "/v1/orders", tt.header...)

				want := http.StatusForbidden
				if tt.ok {
					want = http.StatusOK
				}

				if res.Code != want || !tt.ok && res.rec.Refusal().Reason != reqinfo.ReasonCrossOrigin {
					t.Errorf("%d %s %s", res.Code, res.rec.Refusal().Reason, res.Body)
				}
			})
		})
	}
}

// What browsers may send as the cookie.
func TestCookies(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		name, id := s.cfg.Cookie, b.cookies[s.cfg.Cookie]

		for what, tt := range map[string]struct {
			cookie string
			want   int
			body   string
		}{
			"valid":          {name + "=" + id, 200, "staff:alice with Bearer alice 1"},
			"among_others":   {"a=b; " + name + "=" + id + "; c", 200, "staff:alice with Bearer alice 1"},
			"spaces":         {"a=b;   " + name + "= " + id + " ", 200, "staff:alice with Bearer alice 1"},
			"none":           {"a=b", 200, "anonymous"},
			"empty":          {name + "=", 200, "anonymous"},
			"another":        {name + "=" + newSecret(), 200, "anonymous"},
			"lower_case":     {strings.ToLower(name) + "=" + id, 200, "anonymous"},
			"without_prefix": {"portico-session=" + id, 200, "anonymous"},
			"quoted":         {name + `="` + id + `"`, 200, "anonymous"},
			"longer":         {name + "=" + id + "A", 200, "anonymous"},
			"other_bits":     {name + "=" + id[:42] + otherBits(id[42]), 200, "anonymous"},
			"huge":           {name + "=" + strings.Repeat("a", 8000), 200, "anonymous"},
			"unicode":        {name + "=ä", 200, "anonymous"},
			"twice":          {name + "=" + id + "; " + name + "=" + id, 401, ""},
			"tossed":         {name + "=" + newSecret() + "; " + name + "=" + id, 401, ""},
			"tossed_odd":     {name + "=\x01; " + name + "=" + id, 401, ""},
		} {
			res := s.browser().send(http.MethodGet, "/v1/orders", "Cookie", tt.cookie)
			if res.Code != tt.want || tt.body != "" && res.Body.String() != tt.body {
				t.Errorf("%s: %d %s", what, res.Code, res.Body)
			}
		}
	})
}

// otherBits is another character for the same bytes: the last one of 43 has two bits that mean nothing.
func otherBits(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestLifetimes(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		used, idle, asking := s.browser().login(), s.browser().login(), s.browser().login()

		for range 5 {
			time.Sleep(50 * time.Minute)
			s.mustBe(t, used, true)
			asking.send(http.MethodGet, StatePath) // It prolongs nothing.
		}

		s.mustBe(t, idle, false)
		s.mustBe(t, asking, false)

		for range 9 {
			time.Sleep(50 * time.Minute)
			s.mustBe(t, used, true)
		}

		// However much it is used, it ends after 12 hours.
		time.Sleep(20*time.Minute - time.Second)
		s.mustBe(t, used, true)
		time.Sleep(time.Second)
		s.mustBe(t, used, false)
	})
}

// mustBe checks whether a browser has a session.
func (s *site) mustBe(t *testing.T, b *browser, loggedIn bool) {
	t.Helper()

	body := b.send(http.MethodGet, "/v1/orders").Body.String()
	if strings.HasPrefix(body, "staff:alice") != loggedIn {
		t.Fatalf("got %s, want a session: %t", body, loggedIn)
	}
}

// A session that has ended leaves the caller anonymous, who is told. The page that says who is logged in drops the cookie.
func TestEndedSession(t *testing.T) {
	t.Parallel()

	for name, end := range map[string]func(s *site){
		"idle":           func(*site) { time.Sleep(time.Hour) },
		"key_is_removed": func(s *site) { s.otherKeys() },
		"another_issuer": func(s *site) { s.cfg.Issuer = "https://other.example" },
		"another_gateway_s": func(s *site) {
			s.rewrite(func(v *vault.Vault, _ string, _ content) []byte { return v.Seal([]byte("{}"), sealedSession("other")) })
		},
		"not_decodable": func(s *site) {
			s.rewrite(func(v *vault.Vault, key string, _ content) []byte {
				return v.Seal([]byte(`{"iss":7}`), sealedSession(key))
			})
		},
		"nobody": func(s *site) {
			s.rewrite(func(v *vault.Vault, key string, c content) []byte {
				c.Principal = caller{}
				data, _ := c.seal(v, key)

				return data
			})
		},
		"swapped": func(s *site) {
			s.rewrite(func(v *vault.Vault, _ string, c content) []byte {
				data, _ := c.seal(v, keyOf(newSecret()))

				return data
			})
		},
		"operator": func(s *site) {
			if n, err := s.RevokeSubject(s.Context(), "staff:alice"); n != 1 || err != nil {
				s.Errorf("ended %d, %v", n, err)
			}
		},
		"operator_by_the_provider_s_name": func(s *site) {
			if n, err := s.RevokeSubject(s.Context(), "alice"); n != 1 || err != nil {
				s.Errorf("ended %d, %v", n, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
				b := s.browser().login()
				end(s)

				res := b.send(http.MethodGet, "/v1/orders")
				if res.Body.String() != "anonymous" || !res.rec.SessionEnded || res.rec.Login != LoginPath ||
					res.Header()["Set-Cookie"] != nil {
					t.Errorf("%s, %+v, %v", res.Body, res.rec, b.cookies)
				}

				cookie := b.send(http.MethodGet, StatePath).Header().Get("Set-Cookie")
				if cookie != s.cfg.Cookie+"=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict" {
					t.Errorf("got %s", cookie)
				}

				if res := b.send(http.MethodGet, "/v1/orders"); res.rec.SessionEnded {
					t.Error("a browser without a session is told that it has ended")
				}
			})
		})
	}
}

// rewrite replaces what is stored of each session.
func (s *site) rewrite(data func(v *vault.Vault, key string, c content) []byte) {
	s.Helper()

	memory, _ := s.store.Store.(*Memory)
	for _, key := range memory.sessions.Keys() {
		a, err := s.load(s.Context(), key, 0)
		if err == nil {
			err = memory.Replace(s.Context(), key, a.Version, data(s.keys.Load(), key, a.content))
		}

		if err != nil {
			s.Fatal(err)
		}
	}
}

// Nobody is logged out because the store is down, or the client is gone.
func TestStoreIsDown(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		s.store.fail(errors.New("secret of the store"))

		for _, target := range []string{"/v1/orders", StatePath} {
			res := b.send(http.MethodGet, target)
			if res.Code != http.StatusServiceUnavailable || res.Header().Get("Retry-After") != "5" || res.Header()["Set-Cookie"] != nil ||
				strings.Contains(res.Body.String(), "secret") {
				t.Errorf("%s: %d %v %s", target, res.Code, res.Header(), res.Body)
			}
		}

		if res := b.send(http.MethodPost, LogoutPath, "X-Csrf", "1"); res.Code != http.StatusServiceUnavailable {
			t.Errorf("%d %s", res.Code, res.Body)
		}

		s.store.fail(nil)
		b.shows("staff:alice with Bearer alice 1")
	})
}

func TestState(t *testing.T) {
	t.Parallel()
	with(t, func(c *config.Sessions) { c.MaxLifetime = 90 * time.Minute }, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser()

		if res := b.send(http.MethodGet, StatePath); res.Code != http.StatusUnauthorized || !strings.Contains(res.Body.String(), `"login":"/auth/login"`) {
			t.Errorf("without a session: %d %s", res.Code, res.Body)
		}

		began := time.Now().UTC().Truncate(time.Second)
		b.login()
		time.Sleep(time.Minute)
		b.shows("staff:alice with Bearer alice 1")
		time.Sleep(time.Minute)

		res := b.send(http.MethodGet, StatePath)

		var got map[string]any
		if err := json.Unmarshal(res.Body.Bytes(), &got); err != nil || res.Code != http.StatusOK {
			t.Fatalf("%d %s", res.Code, res.Body)
		}

		for name, want := range map[string]any{
			"subject": "staff:alice", "issuer": theIssuer, "logged_in_at": began.Format(time.RFC3339),
			"expires_at": began.Add(90 * time.Minute).Format(time.RFC3339), "idle_expires_at": began.Add(61 * time.Minute).Format(time.RFC3339),
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}

		if bytes.Contains(res.Body.Bytes(), []byte("secret")) || !bytes.Contains(res.Body.Bytes(), []byte("The alice")) {
			t.Errorf("the profile: %s", res.Body)
		}

		time.Sleep(time.Hour)

		res = b.send(http.MethodGet, StatePath)
		if res.Code != http.StatusUnauthorized || res.rec.Refusal().Reason != reqinfo.ReasonSessionEnded {
			t.Errorf("%d %s %s", res.Code, res.rec.Refusal().Reason, res.Body)
		}
	})
}
