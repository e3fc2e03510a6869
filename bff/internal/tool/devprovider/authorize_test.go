package devprovider_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
	"github.com/portico-gateway/portico/bff/internal/tool/devprovider"
)

func TestCodeFlow(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})

	response := p.logIn(newBrowser(t), "alice")
	if response.Get("state") != "the state" || response.Get("iss") != p.endpoint(t, "issuer") {
		t.Errorf("response: %v", response)
	}

	token, err := p.config.Exchange(t.Context(), response.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}

	if token.ExpiresIn != 300 || token.Extra("scope") != "openid profile email offline_access" {
		t.Errorf("expires in %d s, scope %v", token.ExpiresIn, token.Extra("scope"))
	}

	raw, _ := token.Extra("id_token").(string)

	id, err := p.verifier().Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}

	if id.Nonce != "the nonce" || id.Subject != "alice" {
		t.Errorf("ID token: %+v", id)
	}

	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		t.Error(err)
	}

	var claims struct{ Name, Email, Sid string }
	if err := id.Claims(&claims); err != nil || claims.Name != "Alice Adler" || claims.Email != "alice@example.com" || claims.Sid == "" {
		t.Errorf("claims: %+v %v", claims, err)
	}
}

// identify is what the gateway makes of an access token.
func (p *party) identify(tb testing.TB, token string) reqinfo.Principal {
	tb.Helper()

	gate, err := auth.New(tb.Context(), config.Auth{Issuers: []config.Issuer{{
		Issuer: p.endpoint(tb, "issuer"), Audiences: []string{devissuer.Audience}, JWKSFile: p.issuer.JWKSFile(),
	}}}.WithDefaults(), auth.Deps{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}

	rec := &reqinfo.Record{}
	r := httptest.NewRequestWithContext(reqinfo.NewContext(tb.Context(), rec), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	gate.Identify(nil)(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)

	return rec.Principal
}

func TestAccessTokenIsAcceptedByTheGateway(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})

	for user, scopes := range map[string][]string{
		"bob":   {"openid", "profile", "email", "offline_access"},
		"admin": {"openid", "profile", "email", "offline_access", "users:admin", "orders:admin"},
	} {
		token := p.exchange(t, user)
		want := reqinfo.Principal{Subject: user, Issuer: p.endpoint(t, "issuer"), Scopes: scopes}

		if diff := cmp.Diff(want, p.identify(t, token.AccessToken)); diff != "" {
			t.Error(diff)
		}

		// It has the same issuer and key.
		raw, _ := token.Extra("id_token").(string)
		if got := p.identify(t, raw); got.Subject != "" {
			t.Errorf("an ID token identifies %s", got.Subject)
		}
	}
}

func TestAuthorizationRequestsThatTheClientIsTold(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})

	for name, row := range map[string]struct {
		parameter, value, want string
	}{
		"without_pkce":          {"code_challenge", "", "invalid_request"},
		"with_plain_pkce":       {"code_challenge_method", "plain", "invalid_request"},
		"with_no_method":        {"code_challenge_method", "", "invalid_request"},
		"with_another_method":   {"code_challenge_method", "S512", "invalid_request"},
		"for_a_token":           {"response_type", "token", "unauthorized_client"},
		"for_a_form":            {"response_mode", "form_post", "invalid_request"},
		"for_a_fragment":        {"response_mode", "fragment", "invalid_request"},
		"without_openid":        {"scope", "profile", "invalid_scope"},
		"with_a_request_object": {"request", "x.y.z", "request_not_supported"},
		"with_nobody_there":     {"prompt", "none", "login_required"},
		"with_two_prompts":      {"prompt", "none login", "invalid_request"},
		"with_a_broken_hint":    {"id_token_hint", "x.y.z", "login_required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := newBrowser(t).open(p.authURL(oauth2.SetAuthURLParam(row.parameter, row.value)))

			response := wantResponse(t, page{at: &url.URL{
				Scheme: got.at.Scheme, Host: got.at.Host, Path: got.at.Path, RawQuery: got.at.RawQuery + got.at.Fragment,
			}})
			if response.Get("error") != row.want || response.Get("state") != "the state" || response.Get("iss") != p.endpoint(t, "issuer") {
				t.Errorf("response: %v", response)
			}
		})
	}
}

func TestAuthorizationRequestsThatAreNotRedirected(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})

	for name, row := range map[string]struct{ parameter, value string }{
		"of_another_client":       {"client_id", "other"},
		"without_client":          {"client_id", ""},
		"without_redirect_uri":    {"redirect_uri", ""},
		"to_another_host":         {"redirect_uri", "http://example.com" + devprovider.CallbackPath},
		"to_a_host_with_a_prefix": {"redirect_uri", "http://localhost.example.com" + devprovider.CallbackPath},
		"to_a_host_with_a_user":   {"redirect_uri", "http://localhost@example.com" + devprovider.CallbackPath},
		"to_another_path":         {"redirect_uri", "http://localhost:8080/"},
		"to_a_path_below":         {"redirect_uri", callback + "/x"},
		"with_a_query":            {"redirect_uri", callback + "?x=y"},
		"to_an_app":               {"redirect_uri", "app://localhost" + devprovider.CallbackPath},
		"to_a_script":             {"redirect_uri", "javascript:alert(1)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := newBrowser(t).open(p.authURL(oauth2.SetAuthURLParam(row.parameter, row.value)))
			if got.status != http.StatusBadRequest || !strings.HasPrefix(got.at.String(), p.endpoint(t, "authorization_endpoint")) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestClientsOnAnyPortOfLoopback(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})

	for _, origin := range []string{"http://localhost:1", "https://localhost", "http://127.0.0.1:8080", "http://[::1]:443", "https://127.9.9.9:65535"} {
		uri := origin + devprovider.CallbackPath
		if got := newBrowser(t).open(p.authURL(oauth2.SetAuthURLParam("redirect_uri", uri))); !got.isLogin() {
			t.Errorf("%s: %+v", uri, got)
		}
	}
}

func TestSingleSignOn(t *testing.T) {
	t.Parallel()

	p, b := start(t, devprovider.Options{}), newBrowser(t)
	p.logIn(b, "alice")

	silent := wantResponse(t, b.open(p.authURL()))

	token, err := p.config.Exchange(t.Context(), silent.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}

	if got := p.identify(t, token.AccessToken).Subject; got != "alice" {
		t.Errorf("it is %q", got)
	}

	if got := wantResponse(t, b.open(p.authURL(oauth2.SetAuthURLParam("prompt", "none")))); got.Get("code") == "" {
		t.Errorf("without a prompt: %v", got)
	}

	for _, asking := range []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("prompt", "select_account"), oauth2.SetAuthURLParam("max_age", "0"),
	} {
		if got := b.open(p.authURL(asking)); !got.isLogin() {
			t.Errorf("with %v: %+v", asking, got)
		}
	}

	if got := newBrowser(t).open(p.authURL()); !got.isLogin() {
		t.Errorf("another browser: %+v", got)
	}

	p.logIn(b, "bob", oauth2.SetAuthURLParam("prompt", "login"))

	if got := wantResponse(t, b.open(p.authURL())); got.Get("code") == "" {
		t.Errorf("after a change of the user: %v", got)
	}
}
