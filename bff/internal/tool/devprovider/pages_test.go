package devprovider_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/tool/devprovider"
)

// typeOf is the type in the header of a token.
func typeOf(tb testing.TB, token string) string {
	tb.Helper()

	text, _, _ := strings.Cut(token, ".")

	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		tb.Fatal(err)
	}

	var header struct{ Typ string }
	if err := json.Unmarshal(data, &header); err != nil {
		tb.Fatal(err)
	}

	return header.Typ
}

func TestTypesOfTokens(t *testing.T) {
	t.Parallel()

	token := start(t, devprovider.Options{}).exchange(t, "alice")
	id, _ := token.Extra("id_token").(string)

	for text, want := range map[string]string{token.AccessToken: "at+jwt", id: "JWT"} {
		if got := typeOf(t, text); got != want {
			t.Errorf("typ is %q, not %q", got, want)
		}
	}
}

func TestLoginPage(t *testing.T) {
	t.Parallel()

	p, b := start(t, devprovider.Options{}), newBrowser(t)

	login := b.open(p.authURL())
	for _, want := range []string{
		`value="alice"`, `value="bob"`, `value="admin"`, "Alice Adler", "bob@example.com", "users:admin", `lang="en"`, `<form method="post">`,
		`name="viewport"`,
	} {
		if !strings.Contains(login.body, want) {
			t.Errorf("the page has no %s", want)
		}
	}

	// The policy would let nothing of this run.
	for _, refused := range []string{"<script", "<style", "style=", "onclick=", "javascript:", "http-equiv"} {
		if strings.Contains(login.body, refused) {
			t.Errorf("the page has %s", refused)
		}
	}

	if got := b.press(login, "mallory"); got.status != http.StatusBadRequest {
		t.Errorf("an unknown user: %+v", got)
	}

	wantResponse(t, b.press(login, "alice"))

	if got := b.press(login, "alice"); got.status != http.StatusNotFound || !strings.Contains(got.body, "expired") {
		t.Errorf("a login that is done: %+v", got)
	}

	if got := b.open(login.at.String() + "x"); got.status != http.StatusNotFound || got.isLogin() {
		t.Errorf("an unknown login: %+v", got)
	}

	if got := b.open(p.endpoint(t, "issuer") + "/style.css"); got.status != http.StatusOK || !strings.Contains(got.body, "light-dark(") {
		t.Errorf("style sheet: %+v", got)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.authURL(), nil)
	if err != nil {
		t.Fatal(err)
	}

	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()

	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
		"Content-Type": "text/html; charset=utf-8", "Access-Control-Allow-Origin": "",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}

	for _, want := range []string{"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if got := response.Header.Get("Content-Security-Policy"); !strings.Contains(got, want) || strings.Contains(got, "unsafe") {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
}

func TestRequestsOfOtherSites(t *testing.T) {
	t.Parallel()

	p, b := start(t, devprovider.Options{}), newBrowser(t)
	login := b.open(p.authURL())

	for name, change := range map[string]func(r *http.Request){
		"of_another_site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"of_another_port": func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") },
		"by_rebinding":    func(r *http.Request) { r.Host = "example.com" },
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, login.at.String(), strings.NewReader("user=admin"))
		if err != nil {
			t.Fatal(err)
		}

		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(r)

		if got := b.do(r); got.status != http.StatusForbidden && got.status != http.StatusMisdirectedRequest {
			t.Errorf("%s: %+v", name, got)
		}
	}

	wantResponse(t, b.press(login, "alice"))
}
