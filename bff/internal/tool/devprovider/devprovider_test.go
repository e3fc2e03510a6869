package devprovider_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
	"github.com/portico-gateway/portico/bff/internal/tool/devprovider"
)

func TestIssuersThatAreRefused(t *testing.T) {
	t.Parallel()

	key := mustIssuer(t)

	for _, issuer := range []string{
		"", "http://localhost:8084", "http://localhost:8084/", "http://localhost:8084/portico-dev/", "localhost:8084/portico-dev",
		"http:///portico-dev", "http://localhost/portico-dev?x=y", "http://localhost/portico-dev#x", "http://a@localhost/portico-dev", "::",
	} {
		if _, err := devprovider.New(issuer, key, devprovider.Options{}); err == nil || !strings.Contains(err.Error(), "is not http://HOST/portico-dev") {
			t.Errorf("%q: %v", issuer, err)
		}
	}

	if _, err := devprovider.New("http://localhost/portico-dev", key, devprovider.Options{TokenLifetime: time.Millisecond}); err == nil {
		t.Error("tokens that are valid for less than a second")
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{BackChannelPath: "/x"})

	var got struct {
		Iss     bool     `json:"authorization_response_iss_parameter_supported"`
		PKCE    []string `json:"code_challenge_methods_supported"`
		Logout  bool     `json:"backchannel_logout_supported"`
		Types   []string `json:"response_types_supported"`
		Session bool     `json:"backchannel_logout_session_supported"`
		Scopes  []string `json:"scopes_supported"`
	}
	if err := p.provider.Claims(&got); err != nil {
		t.Fatal(err)
	}

	want := "{true [S256] true [code] true [openid profile email offline_access users:admin orders:admin]}"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

// direct sends requests to a handler without a network, so that time can be virtual.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	r.Host = r.URL.Host

	if r.Body == nil {
		r.Body = http.NoBody
	}

	d.ServeHTTP(w, r)

	response := w.Result()
	response.Request = r

	return response, nil
}

func TestWhatExpires(t *testing.T) {
	t.Parallel()

	key := mustIssuer(t)

	synctest.Test(t, func(t *testing.T) {
		handler, err := devprovider.New("http://localhost"+devprovider.DevPath, key, devprovider.Options{TokenLifetime: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}

		issuer := handler.Issuer()
		p := &party{config: oauth2.Config{
			ClientID: devprovider.ClientID, ClientSecret: devprovider.ClientSecret, RedirectURL: callback, Scopes: []string{"openid", "offline_access"},
			Endpoint: oauth2.Endpoint{AuthURL: issuer + "/authorize", TokenURL: issuer + "/token", AuthStyle: oauth2.AuthStyleInHeader},
		}}
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: direct{handler}})
		exchange := func(code string) (*oauth2.Token, error) {
			return p.config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		}

		b := newBrowser(t)
		b.client.Transport = direct{handler}

		login := b.open(p.authURL())

		time.Sleep(10 * time.Minute)

		if got := b.press(login, "alice"); got.status != http.StatusNotFound {
			t.Errorf("a login after ten minutes: %+v", got)
		}

		code := p.logIn(b, "alice").Get("code")

		time.Sleep(time.Minute)

		_, err = exchange(code)
		wantError(t, err, "invalid_grant")

		token, err := exchange(wantResponse(t, b.open(p.authURL())).Get("code"))
		if err != nil {
			t.Fatal(err)
		}

		if got := time.Until(token.Expiry); got != 2*time.Second {
			t.Errorf("the access token is valid for %v", got)
		}

		time.Sleep(time.Hour)

		hint, _ := token.Extra("id_token").(string)
		at := issuer + "/end_session?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {callback}}.Encode()

		if got := b.open(at); got.at.String() != callback {
			t.Errorf("logout with an ID token that has expired: %+v", got)
		}

		p.logIn(b, "alice")
		time.Sleep(12 * time.Hour)

		if got := b.open(p.authURL()); !got.isLogin() {
			t.Errorf("a session after twelve hours: %+v", got)
		}

		_, err = p.config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
		wantError(t, err, "invalid_grant")
	})
}

func ExampleNew() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)

		return
	}
	defer os.RemoveAll(dir)

	key, err := devissuer.Open(dir)
	if err != nil {
		fmt.Println(err)

		return
	}

	provider, err := devprovider.New("http://localhost:8084"+devprovider.DevPath, key, devprovider.Options{})
	if err != nil {
		fmt.Println(err)

		return
	}

	fmt.Println(provider.Issuer())

	// Output:
	// http://localhost:8084/portico-dev
}
