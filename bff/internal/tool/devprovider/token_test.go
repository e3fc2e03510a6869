package devprovider_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/portico-gateway/portico/bff/internal/tool/devprovider"
)

func TestCodesThatAreRefused(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})

	for name, row := range map[string]struct {
		change func(config *oauth2.Config, code *string)
		option oauth2.AuthCodeOption
		want   string
	}{
		"without_a_verifier": {nil, oauth2.SetAuthURLParam("x", "y"), "invalid_request"},
		"with_a_wrong_verifier": {
			nil, oauth2.VerifierOption(strings.Repeat("w", 43)), "invalid_grant",
		},
		"with_the_challenge_as_verifier": {
			nil, oauth2.VerifierOption(oauth2.S256ChallengeFromVerifier(verifier)), "invalid_grant",
		},
		"with_a_wrong_secret": {
			func(config *oauth2.Config, _ *string) { config.ClientSecret = "x" }, oauth2.VerifierOption(verifier), "invalid_client",
		},
		"without_a_secret": {
			func(config *oauth2.Config, _ *string) { config.ClientSecret = "" }, oauth2.VerifierOption(verifier), "invalid_client",
		},
		"of_another_client": {
			func(config *oauth2.Config, _ *string) { config.ClientID = "x" }, oauth2.VerifierOption(verifier), "invalid_client",
		},
		"for_another_redirect_uri": {
			func(config *oauth2.Config, _ *string) {
				config.RedirectURL = "http://localhost:8080" + devprovider.CallbackPath
			},
			oauth2.VerifierOption(verifier), "invalid_grant",
		},
		"that_are_unknown": {
			func(_ *oauth2.Config, code *string) { *code = "x" }, oauth2.VerifierOption(verifier), "invalid_grant",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			code, config := p.logIn(newBrowser(t), "alice").Get("code"), p.config
			if row.change != nil {
				row.change(&config, &code)
			}

			_, err := config.Exchange(t.Context(), code, row.option)
			wantError(t, err, row.want)
		})
	}
}

func TestCodeThatIsUsedTwiceEndsTheFirstUse(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})
	code := p.logIn(newBrowser(t), "alice").Get("code")

	token, err := p.config.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}

	_, err = p.config.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	wantError(t, err, "invalid_grant")

	_, err = p.refresh(t, token.RefreshToken)
	wantError(t, err, "invalid_grant")
}

func TestRefreshTokensAreRotated(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})
	first := p.exchange(t, "admin")

	second, err := p.refresh(t, first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}

	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken {
		t.Error("tokens were not replaced")
	}

	if got := p.identify(t, second.AccessToken); got.Subject != "admin" || len(got.Scopes) != 6 {
		t.Errorf("principal: %+v", got)
	}

	raw, _ := second.Extra("id_token").(string)
	if id, err := p.verifier().Verify(t.Context(), raw); err != nil || id.Nonce != "" || id.Subject != "admin" {
		t.Errorf("ID token: %+v %v", id, err)
	}

	_, err = p.refresh(t, first.RefreshToken)
	wantError(t, err, "invalid_grant")

	// A thief and the client cannot be told apart.
	_, err = p.refresh(t, second.RefreshToken)
	wantError(t, err, "invalid_grant")
}

func TestRefreshTokenIsForOneOfManyAtOnce(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})
	token := p.exchange(t, "alice")

	var (
		all       sync.WaitGroup
		succeeded atomic.Int32
	)

	for range 16 {
		all.Go(func() {
			if _, err := p.refresh(t, token.RefreshToken); err == nil {
				succeeded.Add(1)
			}
		})
	}

	all.Wait()

	// None, if the others were between its two checks.
	if got := succeeded.Load(); got > 1 {
		t.Errorf("%d of them got tokens", got)
	}
}

func TestScopesOfARefresh(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})
	form := func(scope, token string) url.Values {
		return url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {token}, "scope": {scope},
			"client_id": {devprovider.ClientID}, "client_secret": {devprovider.ClientSecret},
		}
	}
	token := p.exchange(t, "alice").RefreshToken

	if got := p.post(t, p.config.Endpoint.TokenURL, form("openid users:admin", token)); got != http.StatusBadRequest {
		t.Errorf("more than was granted: %d", got)
	}

	if got := p.post(t, p.config.Endpoint.TokenURL, form("openid", token)); got != http.StatusOK {
		t.Errorf("less than was granted: %d", got)
	}
}

func TestRefreshTokenNeedsOfflineAccess(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})
	p.config.Scopes = []string{"openid"}

	if token := p.exchange(t, "alice"); token.RefreshToken != "" || token.Extra("scope") != "openid" {
		t.Errorf("token: %+v", token)
	}
}

func TestTokenRequestsOfOtherKinds(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})

	for _, kind := range []string{"", "password", "client_credentials"} {
		form := url.Values{
			"grant_type": {kind}, "client_id": {devprovider.ClientID}, "client_secret": {devprovider.ClientSecret},
			"username": {"admin"}, "password": {"x"},
		}
		if got := p.post(t, p.config.Endpoint.TokenURL, form); got != http.StatusBadRequest {
			t.Errorf("%q: %d", kind, got)
		}
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})
	revoke := func(token, secret string) int {
		return p.post(t, p.endpoint(t, "revocation_endpoint"), url.Values{
			"token": {token}, "token_type_hint": {"refresh_token"}, "client_id": {devprovider.ClientID}, "client_secret": {secret},
		})
	}
	token := p.exchange(t, "alice")

	if got := revoke(token.RefreshToken, "x"); got != http.StatusUnauthorized {
		t.Errorf("with a wrong secret: %d", got)
	}

	for _, text := range []string{token.AccessToken, "unknown", ""} {
		if got := revoke(text, devprovider.ClientSecret); got != http.StatusOK {
			t.Errorf("%.8q: %d", text, got)
		}
	}

	second, err := p.refresh(t, token.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}

	if got := revoke(second.RefreshToken, devprovider.ClientSecret); got != http.StatusOK {
		t.Errorf("status %d", got)
	}

	_, err = p.refresh(t, second.RefreshToken)
	wantError(t, err, "invalid_grant")
}

func TestUserInfo(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})
	token := p.exchange(t, "bob")

	info, err := p.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	if err != nil || info.Subject != "bob" || info.Email != "bob@example.com" || !info.EmailVerified {
		t.Errorf("%+v %v", info, err)
	}

	raw, _ := token.Extra("id_token").(string)
	for name, text := range map[string]string{"id_token": raw, "nonsense": "x", "nothing": ""} {
		if info, err := p.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: text})); err == nil {
			t.Errorf("%s: %+v", name, info)
		}
	}
}
