package sessions_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
)

// A response of another issuer is refused, before its code is sent anywhere (RFC 9207).
func TestResponseOfAnotherIssuer(t *testing.T) {
	t.Parallel()

	honest := startScripted(t, object{"authorization_response_iss_parameter_supported": true})
	silent := startScripted(t, nil) // It does not promise to name itself.
	evil := "https://evil.example"
	at := map[*scripted]*site{honest: startOf(t, honest, nil), silent: startOf(t, silent, nil)}

	for name, row := range map[string]struct {
		issuer *scripted
		iss    []string
		good   bool
	}{
		"good":                     {honest, []string{honest.url}, true},
		"missing_where_promised":   {honest, nil, false},
		"empty":                    {honest, []string{""}, false},
		"other":                    {honest, []string{evil}, false},
		"twice":                    {honest, []string{honest.url, honest.url}, false},
		"other_first":              {honest, []string{evil, honest.url}, false},
		"other_last":               {honest, []string{honest.url, evil}, false},
		"with_a_slash":             {honest, []string{honest.url + "/"}, false},
		"other_case":               {honest, []string{strings.ToUpper(honest.url)}, false},
		"not_promised":             {silent, nil, true},
		"not_promised_and_good":    {silent, []string{silent.url}, true},
		"not_promised_and_other":   {silent, []string{evil}, false},
		"not_promised_and_empty":   {silent, []string{""}, false},
		"not_promised_and_doubled": {silent, []string{silent.url, silent.url}, false},
	} {
		s, before := at[row.issuer], row.issuer.count("authorization_code")
		b := openidtest.New(t)
		address := changed(t, b.Callback(t, s.URL, "/", "alice"), func(query url.Values) { query["iss"] = row.iss })

		if s.callback(t, b, address) != row.good {
			t.Errorf("%s: good: %t", name, !row.good)
		}

		if row.issuer.count("authorization_code") > before != row.good {
			t.Errorf("%s: the code was sent, or was not", name)
		}
	}
}

// A browser that is to log in at one issuer is sent back by another, with its own code and iss.
func TestMixUp(t *testing.T) {
	t.Parallel()

	honest, evil := startScripted(t, nil), startScripted(t, nil)
	s := startOf(t, honest, nil)
	evil.respond = func(query url.Values) { query.Set("iss", evil.url) }

	b := openidtest.New(t)
	visit := b.Open(t, s.URL+"/auth/login", "", openidtest.Before("/authorize"))
	other := b.Open(t, strings.Replace(visit.Next.String(), honest.url, evil.url, 1), "", openidtest.Before("/auth/callback"))

	if s.callback(t, b, other.Next.String()) {
		t.Error("a response of another issuer was accepted")
	}

	if s.callback(t, b, changed(t, other.Next.String(), func(query url.Values) { query.Del("iss") })) {
		t.Error("a code of another issuer was accepted")
	}

	if evil.count("authorization_code")+honest.count("authorization_code") != 0 {
		t.Error("a code was exchanged")
	}

	if !s.callback(t, b, b.Callback(t, s.URL, "/", "alice")) {
		t.Error("without an attack the login is refused")
	}
}

// Parameters come once, and errors of the issuer are not shown.
func TestResponseParameters(t *testing.T) {
	t.Parallel()

	const script = `<script>alert(1)</script><img src=x onerror=alert(1)>"'&lt;`

	s := startOf(t, startScripted(t, nil), nil)

	for name, row := range map[string]struct {
		change func(url.Values)
		status int
	}{
		"state_twice":     {func(q url.Values) { q.Add("state", q.Get("state")) }, http.StatusBadRequest},
		"state_missing":   {func(q url.Values) { q.Del("state") }, http.StatusBadRequest},
		"code_twice":      {func(q url.Values) { q.Add("code", "x") }, http.StatusBadRequest},
		"code_missing":    {func(q url.Values) { q.Del("code") }, http.StatusBadRequest},
		"code_empty":      {func(q url.Values) { q.Set("code", "") }, http.StatusBadRequest},
		"code_unknown":    {func(q url.Values) { q.Set("code", script) }, http.StatusBadRequest},
		"error":           {func(q url.Values) { q.Set("error", script); q.Set("error_description", script) }, http.StatusForbidden},
		"error_and_code":  {func(q url.Values) { q.Set("error", "access_denied") }, http.StatusForbidden},
		"two_errors":      {func(q url.Values) { q["error"] = []string{"", "access_denied"} }, http.StatusForbidden},
		"script_in_state": {func(q url.Values) { q.Set("state", script) }, http.StatusBadRequest},
	} {
		for _, accept := range []string{"text/html", "application/json"} {
			b := openidtest.New(t)
			address := changed(t, b.Callback(t, s.URL, "/", "alice"), row.change)

			res := b.Fetch(t, http.MethodGet, address, http.Header{"Accept": {accept}}, "")
			if res.Status != row.status || res.Header["Set-Cookie"] != nil {
				t.Errorf("%s: %d %s", name, res.Status, res.Body)
			}

			if strings.Contains(res.Body, "alert") || strings.Contains(res.Body, "onerror") {
				t.Errorf("%s is in %s", script, res.Body)
			}
		}
	}
}

// Pages say that they are not to be stored, framed or sniffed, and do not tell others their addresses.
func TestHeadersOfPages(t *testing.T) {
	t.Parallel()

	s := startOf(t, startScripted(t, nil), nil)
	b := s.login(t, "alice")
	callback := strings.TrimPrefix(b.Callback(t, s.URL, "/", "alice"), s.URL)
	cookies := http.Header{"Cookie": {
		sessionCookie + "=" + b.Jar.Cookie(t, s.URL, sessionCookie) + "; " + loginCookie + "=" + b.Jar.Cookie(t, s.URL, loginCookie),
	}}
	page := http.Header{"Accept": {"text/html"}}

	for _, r := range []struct {
		method, target string
		header         http.Header
		status         int
	}{
		{http.MethodGet, "/auth/login", nil, http.StatusSeeOther},
		{http.MethodGet, "/auth/login?return_to=//x", page, http.StatusBadRequest},
		{http.MethodGet, "/auth/callback", page, http.StatusBadRequest},
		{http.MethodGet, "/auth/callback", nil, http.StatusBadRequest},
		{http.MethodGet, "/auth/session", cookies, http.StatusOK},
		{http.MethodGet, "/auth/session", nil, http.StatusUnauthorized},
		{http.MethodPost, "/auth/backchannel-logout", nil, http.StatusBadRequest},
		{http.MethodPost, "/auth/logout", plus(cookies, csrf()), http.StatusOK},
		{http.MethodGet, callback, cookies, http.StatusSeeOther},
	} {
		res := s.Do(t, r.method, r.target, r.header, "")
		if res.Status != r.status {
			t.Errorf("%s %s: %d %s", r.method, r.target, res.Status, res.Body)
		}

		want := map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
		if !strings.HasSuffix(res.Header.Get("Content-Type"), "json") || r.header["Cookie"] != nil {
			want["Referrer-Policy"], want["Content-Security-Policy"] = "no-referrer", "default-src 'none'"
		}

		for name, value := range want {
			if got := res.Header.Get(name); !strings.HasPrefix(got, value) {
				t.Errorf("%s %s: %s is %q", r.method, r.target, name, got)
			}
		}

		policy := res.Header.Get("Content-Security-Policy")
		if policy != "" && !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s %s: %s", r.method, r.target, policy)
		}

		for _, line := range res.Header["Set-Cookie"] {
			for _, attribute := range []string{"__Host-", "; Path=/", "; HttpOnly", "; Secure", "; SameSite="} {
				if !strings.Contains(line, attribute) || strings.Contains(line, "Domain") {
					t.Errorf("%s %s sets %s", r.method, r.target, line)
				}
			}
		}
	}
}
