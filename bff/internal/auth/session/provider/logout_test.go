package provider

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// signAs signs a logout token with another name of the key.
func (i *issuer) signAs(kid string) string {
	i.Helper()

	i.kid = kid

	return i.sign(i.logout(nil))
}

// logout are the claims of a valid logout token, with changes.
func (i *issuer) logout(change map[string]any) map[string]any {
	claims := i.claims(map[string]any{
		"nonce": nil, "jti": "1", "sid": "s", "exp": time.Now().Add(time.Minute).Unix(), "events": map[string]any{logoutEvent: map[string]any{}},
	})

	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}

	return claims
}

func TestVerifyLogout(t *testing.T) {
	t.Parallel()

	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }

	for name, tt := range map[string]struct {
		change map[string]any
		want   Logout
	}{
		"subject_and_session": {nil, Logout{ID: "1", Subject: "alice", SessionID: "s"}},
		"subject":             {map[string]any{"sid": nil}, Logout{ID: "1", Subject: "alice"}},
		"session":             {map[string]any{"sub": nil}, Logout{ID: "1", SessionID: "s"}},
		"neither":             {map[string]any{"sub": nil, "sid": nil}, Logout{}},
		"id_token":            {map[string]any{"events": nil, "nonce": "the nonce"}, Logout{}},
		"with_a_nonce":        {map[string]any{"nonce": "the nonce"}, Logout{}},
		"another_event":       {map[string]any{"events": map[string]any{"x": map[string]any{}}}, Logout{}},
		"no_id":               {map[string]any{"jti": nil}, Logout{}},
		"no_expiry":           {map[string]any{"exp": nil}, Logout{}},
		"expired":             {map[string]any{"exp": ago(time.Minute)}, Logout{}},
		"another_issuer":      {map[string]any{"iss": "https://other.example"}, Logout{}},
		"another_client":      {map[string]any{"aud": "other"}, Logout{}},
		"no_time":             {map[string]any{"iat": nil}, Logout{}},
		"old":                 {map[string]any{"iat": ago(maxLogoutAge + time.Minute)}, Logout{}},
		"clock_behind":        {map[string]any{"iat": ago(-maxLogoutAge + time.Minute)}, Logout{ID: "1", Subject: "alice", SessionID: "s"}},
		"in_the_future":       {map[string]any{"iat": ago(-maxLogoutAge - time.Minute)}, Logout{}},
	} {
		i := start(t)

		got, err := i.client(nil).VerifyLogout(t.Context(), i.sign(i.logout(tt.change)))
		if (err == nil) != (tt.want.ID != "") || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}

		if err == nil && time.Until(got.Until) <= 0 {
			t.Errorf("%s: it may come again before it is too old", name)
		}

		got.Until = time.Time{}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}

	i := start(t)
	for _, text := range []string{"", "x", "a.b.c", strings.Repeat("a.", 1000)} {
		if _, err := i.client(nil).VerifyLogout(t.Context(), text); !errors.Is(err, ErrRefused) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestLogoutURL(t *testing.T) {
	t.Parallel()

	i := start(t)
	p := i.client(nil)

	if got, err := p.LogoutURL(t.Context(), "id", "https://app.example/"); got != "" || err != nil {
		t.Errorf("without an endpoint: %q, %v", got, err)
	}

	i = start(t)
	i.metadata["end_session_endpoint"] = i.url + "/end?x=y"
	p = i.client(nil)

	got, err := p.LogoutURL(t.Context(), "id", "https://app.example/bye?a=b")
	if err != nil {
		t.Fatal(err)
	}

	want := url.Values{
		"x": {"y"}, "client_id": {clientID}, "id_token_hint": {"id"}, "post_logout_redirect_uri": {"https://app.example/bye?a=b"},
	}
	if diff := cmp.Diff(want, queryOf(t, got)); diff != "" {
		t.Error(diff)
	}

	if got, _ := p.LogoutURL(t.Context(), "", "https://app.example/"); queryOf(t, got).Has("id_token_hint") {
		t.Errorf("got %s", got)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()

	i := start(t)
	if err := i.client(nil).Revoke(t.Context(), "x"); err != nil {
		t.Errorf("without an endpoint: %v", err)
	}

	i = start(t)
	i.metadata["revocation_endpoint"] = i.url + "/revoke"
	i.endpoints["/revoke"] = func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("token") != "the token" || r.PostFormValue("token_type_hint") != "refresh_token" {
			t.Errorf("got %v", r.PostForm)
		}

		w.WriteHeader(http.StatusOK)
	}

	p := i.client(nil)
	if err := p.Revoke(t.Context(), "the token"); err != nil {
		t.Error(err)
	}

	i.endpoints["/revoke"] = http.NotFound
	if err := p.Revoke(t.Context(), "the token"); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "the token") {
		t.Errorf("got %v", err)
	}
}
