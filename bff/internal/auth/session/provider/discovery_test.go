package provider

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDiscoveryDocument(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		change map[string]any
		fault  string
	}{
		"valid":                  {nil, ""},
		"all":                    {map[string]any{"end_session_endpoint": "https://b.example/end", "revocation_endpoint": "https://c.example/r"}, ""},
		"pkce":                   {map[string]any{"code_challenge_methods_supported": []string{"plain", "S256"}}, ""},
		"another_issuer":         {map[string]any{"issuer": "https://other.example"}, "did not match"},
		"no_authorization":       {map[string]any{"authorization_endpoint": ""}, "authorization_endpoint"},
		"no_token":               {map[string]any{"token_endpoint": nil}, "token_endpoint"},
		"no_keys":                {map[string]any{"jwks_uri": ""}, "jwks_uri"},
		"token_at_another_host":  {map[string]any{"token_endpoint": "http://login.example/token"}, `token_endpoint: "http://login.example/token" is not https`},
		"keys_at_another_host":   {map[string]any{"jwks_uri": "http://login.example/keys"}, "jwks_uri"},
		"pushed_without_a_host":  {map[string]any{"pushed_authorization_request_endpoint": "https:///par"}, "pushed_authorization_request_endpoint"},
		"revocation_of_a_script": {map[string]any{"revocation_endpoint": "javascript:alert(1)"}, "revocation_endpoint"},
		"logout_of_a_script":     {map[string]any{"end_session_endpoint": "javascript:alert(1)"}, "end_session_endpoint"},
		"no_pkce":                {map[string]any{"code_challenge_methods_supported": []string{"plain"}}, "S256 is missing"},
		"not_a_list":             {map[string]any{"code_challenge_methods_supported": "S256"}, "discovery document"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			i := start(t)
			maps.Copy(i.metadata, tt.change)

			_, err := i.client(nil).Check(t.Context())

			switch {
			case tt.fault == "" && err != nil:
				t.Error(err)
			case tt.fault != "" && (!errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), tt.fault)):
				t.Errorf("got %v, want %q", err, tt.fault)
			}
		})
	}
}

// An issuer that is encrypted has no endpoint that is not, also none on this machine.
func TestEndpointsAreAsSecureAsTheIssuer(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		issuer, endpoint string
		ok               bool
	}{
		{"https://a.example", "https://a.example/x", true},
		{"https://a.example", "https://b.example/x", true},
		{"https://a.example", "http://a.example/x", false},
		{"https://a.example", "http://localhost/x", false},
		{"https://localhost", "http://localhost/x", false},
		{"http://localhost:1", "http://127.0.0.1:2/x", true},
		{"http://localhost:1", "https://a.example/x", true},
		{"http://localhost:1", "http://a.example/x", false},
		{"https://a.example", "/x", false},
		{"https://a.example", "https://", false},
		{"https://a.example", "https://a.example:x/", false},
	} {
		if err := checkEndpoint(tt.issuer, tt.endpoint); (err == nil) != tt.ok {
			t.Errorf("%s of %s: %v", tt.endpoint, tt.issuer, err)
		}
	}
}

func TestWhatCheckSays(t *testing.T) {
	t.Parallel()

	i := start(t)
	if text, err := i.client(nil).Check(t.Context()); err != nil || text != "is an OpenID provider" {
		t.Errorf("%q, %v", text, err)
	}

	for _, name := range []string{"pushed_authorization_request_endpoint", "revocation_endpoint", "end_session_endpoint"} {
		i.metadata[name] = i.url + "/" + name
	}

	want := "is an OpenID provider, takes pushed authorization requests, revokes tokens, ends sessions at logout"
	if text, err := i.client(nil).Check(t.Context()); err != nil || text != want {
		t.Errorf("%q, %v", text, err)
	}
}

// What a provider says when it fails may be long, and is not all logged.
func TestDiscoveryOfWhatIsNoProvider(t *testing.T) {
	t.Parallel()

	for name, handler := range map[string]http.HandlerFunc{
		"not_found": http.NotFound,
		"redirect":  http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP,
		"page": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html>" + strings.Repeat("x", 10_000)))
		},
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
		"long_header": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 2*maxHeader)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			i := start(t)
			i.endpoints["/.well-known/openid-configuration"] = handler

			_, err := i.client(nil).Check(t.Context())
			if !errors.Is(err, ErrUnavailable) || len(err.Error()) > 1000 {
				t.Errorf("got %.2000v", err)
			}

			if i.count("/elsewhere") > 0 {
				t.Error("the redirect was followed")
			}
		})
	}
}

// virtual is a Provider whose issuer is in memory, in virtual time.
func virtual(t *testing.T, test func(t *testing.T, i *issuer, p *Provider)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, "https://login.example")
		p := i.client(nil)
		p.client.Transport = inMemory{i}

		test(t, i, p)
	})
}

// Once it is known, nobody waits for the document, and it is used while the issuer is down.
func TestDiscoveryAgain(t *testing.T) {
	t.Parallel()
	virtual(t, func(t *testing.T, i *issuer, p *Provider) { //nolint:thelper // It is the test.
		const document = "/.well-known/openid-configuration"

		ask := func(fetched int) {
			t.Helper()

			if _, err := p.AuthorizationURL(t.Context(), login()); err != nil {
				t.Fatal(err)
			}

			synctest.Wait()

			if got := i.count(document); got != fetched {
				t.Errorf("the document was fetched %d times, want %d", got, fetched)
			}
		}

		i.set(func() { i.down = true })

		if _, err := p.AuthorizationURL(t.Context(), login()); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("without a document: %v", err)
		}

		i.set(func() { i.down = false })
		ask(2)
		ask(2)
		time.Sleep(discoveryLife)
		ask(3)
		ask(3)

		i.set(func() { i.down = true })
		time.Sleep(discoveryLife)
		ask(4)
		ask(4) // It was asked a moment ago.
		time.Sleep(discoveryRetry)
		ask(5)

		i.set(func() {
			i.down = false
			i.metadata["authorization_endpoint"] = "https://new.example/authorize"
		})
		time.Sleep(discoveryRetry)
		ask(6)

		if location, _ := p.AuthorizationURL(t.Context(), login()); !strings.HasPrefix(location, "https://new.example/") {
			t.Errorf("got %s", location)
		}
	})
}

// One that does not reply makes those wait that need it, as long as they like, and no other.
func TestDiscoveryThatHangs(t *testing.T) {
	t.Parallel()
	virtual(t, func(t *testing.T, i *issuer, p *Provider) { //nolint:thelper // It is the test.
		i.endpoints["/.well-known/openid-configuration"] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		if _, err := p.AuthorizationURL(ctx, login()); !errors.Is(err, ErrUnavailable) || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}

		if _, err := p.AuthorizationURL(t.Context(), login()); !errors.Is(err, ErrUnavailable) || time.Since(began) != timeout {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
