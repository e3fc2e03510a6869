package sessions_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// other is another text than a character, of the same alphabet.
func other(c byte) string {
	if c == 'A' {
		return "B"
	}

	return "A"
}

// A cookie that the gateway has not set is no session.
func TestTamperedCookie(t *testing.T) {
	t.Parallel()

	s := startOf(t, startScripted(t, nil), nil)
	b := s.login(t, "alice")
	id := b.Jar.Cookie(t, s.URL, sessionCookie)

	bytes, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}

	tampered := map[string]string{
		"empty": "", "truncated": id[1:], "cut": id[:len(id)-1], "longer": id + "A", "twice": id + id, "padded": id + "=",
		"quoted": `"` + id + `"`, "after_a_comma": id + "," + id, "percent": "%" + id,
		"other_case":     strings.ToUpper(id[:20]) + strings.ToLower(id[20:]),
		"other_alphabet": base64.StdEncoding.EncodeToString(append([]byte{0xff, 0xff, 0xff}, bytes[3:]...)),
		"nul":            id[:42] + "\\0", "path": "../" + id[3:], "star": strings.Repeat("*", 43), "huge": strings.Repeat("A", 7000),
		"login": b.Jar.Cookie(t, s.URL, loginCookie),
	}

	for n := range id {
		tampered["character_"+string(rune('a'+n/26))+string(rune('a'+n%26))] = id[:n] + other(id[n]) + id[n+1:]
	}

	// The last character has two bits that mean nothing.
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if text := id[:42] + string(last); text != id {
			tampered["last_"+string(last)] = text
		}
	}

	for name, value := range tampered {
		res := s.Do(t, http.MethodGet, getAlice, http.Header{"Cookie": {sessionCookie + "=" + value}}, "")
		if res.Status != http.StatusUnauthorized || res.Problem(t)["login"] != "/auth/login" {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}

	if res := s.Do(t, http.MethodGet, getAlice, s.cookies(t, b), ""); res.Status != http.StatusOK {
		t.Errorf("without an attack: %d %s", res.Status, res.Body)
	}
}

// Another host of the same site, or a page over an insecure connection, can set cookies that browsers send as well. None of them is
// the session, and where the gateway cannot know which is its own, none is.
func TestCookieTossing(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	s := startOf(t, i, nil)
	victim := s.login(t, "alice")
	i.as("mallory")

	own := sessionCookie + "=" + victim.Jar.Cookie(t, s.URL, sessionCookie)
	id := s.login(t, "mallory").Jar.Cookie(t, s.URL, sessionCookie)
	evil := sessionCookie + "=" + id

	for name, lines := range map[string][]string{
		"before":                {evil + "; " + own},
		"after":                 {own + "; " + evil},
		"in_a_line_before":      {evil, own},
		"in_a_line_after":       {own, evil},
		"without_a_space":       {own + ";" + evil},
		"the_same_twice":        {own + "; " + own},
		"empty":                 {own + "; " + sessionCookie + "="},
		"without_a_value":       {own + "; " + sessionCookie},
		"invalid_value":         {own + "; " + sessionCookie + "=\"a,b\\"},
		"with_a_space":          {own + "; " + sessionCookie + " =" + id},
		"with_a_tab":            {own + ";\t" + sessionCookie + "\t=\t" + id},
		"version_of_other_days": {"$Version=1; " + evil + "; $Path=/; " + own},
	} {
		res := s.Do(t, http.MethodGet, "/auth/session", http.Header{"Cookie": lines}, "")
		if res.Status != http.StatusUnauthorized || res.Header["Set-Cookie"] != nil {
			t.Errorf("two cookies: %s: %d %s", name, res.Status, res.Body)
		}
	}

	for name, cookie := range map[string]string{
		"none":               "a=b",
		"lower_case":         strings.ToLower(sessionCookie) + "=" + id,
		"without_the_prefix": strings.TrimPrefix(evil, "__Host-"),
		"secure_prefix":      strings.Replace(evil, "__Host-", "__Secure-", 1),
		"without_a_name":     "=" + evil,
		"unicode_space":      "\u2000" + evil,
		"non_breaking_space": "\u00a0" + evil,
		"byte_order_mark":    "\ufeff" + evil,
		"quoted_name":        `"` + sessionCookie + `"=` + id,
		"percent":            strings.Replace(evil, "_", "%5f", 1),
		"in_a_quoted_value":  `a="; ` + sessionCookie[:5] + `"; b=` + evil,
		"dollar":             "$" + evil,
		"other_separator":    "a=b, " + evil,
	} {
		if res := s.Do(t, http.MethodGet, "/auth/session", http.Header{"Cookie": {cookie}}, ""); res.Status != http.StatusUnauthorized {
			t.Errorf("%s alone: %d %s", name, res.Status, res.Body)
		}

		res := s.Do(t, http.MethodGet, "/auth/session", http.Header{"Cookie": {cookie + "; " + own}}, "")
		if res.Status != http.StatusOK || !strings.Contains(res.Body, `"alice"`) {
			t.Errorf("%s before the victim's: %d %s", name, res.Status, res.Body)
		}
	}
}

// A login that is bound to two cookies is bound to none.
func TestLoginCookieTossing(t *testing.T) {
	t.Parallel()

	s := startOf(t, startScripted(t, nil), nil)
	b := s.login(t, "alice")
	address := strings.TrimPrefix(b.Callback(t, s.URL, "/", "alice"), s.URL)
	own := loginCookie + "=" + b.Jar.Cookie(t, s.URL, loginCookie)

	for _, lines := range [][]string{{own, own}, {own + "; " + loginCookie + "=x"}, {loginCookie + "=x"}, {loginCookie + "="}} {
		if res := s.Do(t, http.MethodGet, address, http.Header{"Cookie": lines}, ""); res.Status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", lines, res.Status, res.Body)
		}
	}

	if res := s.Do(t, http.MethodGet, address, http.Header{"Cookie": {own}}, ""); res.Status != http.StatusSeeOther {
		t.Errorf("without an attack: %d %s", res.Status, res.Body)
	}
}
