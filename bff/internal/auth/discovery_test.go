package auth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

const wellKnown = "/.well-known/openid-configuration"

// provider is an OpenID provider whose document says what the function makes of its URL.
func provider(t *testing.T, set []byte, document func(url string) string) *keyServer {
	t.Helper()

	k := newKeyServer(t, nil)
	k.serve(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case wellKnown, "/tenant" + wellKnown:
			_, _ = fmt.Fprint(w, document(k.url))
		case "/keys", "/moved":
			_, _ = w.Write(set)
		case "/elsewhere":
			http.Redirect(w, r, strings.Replace(k.url, "127.0.0.1", "localhost", 1)+"/keys", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})

	return k
}

func says(issuer, keys string) string {
	return fmt.Sprintf(`{"issuer": %q, "jwks_uri": %q}`, issuer, keys)
}

func discovering(issuer string, interval time.Duration) config.Issuer {
	return config.Issuer{Issuer: issuer, Audiences: []string{authtest.Audience}, RefreshInterval: interval}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	set := authtest.KeySet(t, s)

	for name, row := range map[string]struct {
		suffix   string // Of the issuer, after the server's URL.
		document func(url string) string
		want     int
	}{
		"issuer_alone":   {"", func(url string) string { return says(url, url+"/keys") }, http.StatusOK},
		"trailing_slash": {"/", func(url string) string { return says(url+"/", url+"/keys") }, http.StatusOK},
		"with_a_path":    {"/tenant", func(url string) string { return says(url+"/tenant", url+"/keys") }, http.StatusOK},
		// Without keys that can be believed, the gateway cannot tell whether a token is good.
		"about_another":     {"", func(url string) string { return says("https://evil.example", url+"/keys") }, http.StatusServiceUnavailable},
		"but_for_a_slash":   {"", func(url string) string { return says(url+"/", url+"/keys") }, http.StatusServiceUnavailable},
		"no_keys":           {"", func(url string) string { return `{"issuer": "` + url + `"}` }, http.StatusServiceUnavailable},
		"keys_over_http":    {"", func(url string) string { return says(url, "http://example.com/keys") }, http.StatusServiceUnavailable},
		"keys_in_a_file":    {"", func(url string) string { return says(url, "file:///etc/passwd") }, http.StatusServiceUnavailable},
		"keys_nowhere":      {"", func(url string) string { return says(url, "/keys") }, http.StatusServiceUnavailable},
		"keys_are_redirect": {"", func(url string) string { return says(url, url+"/elsewhere") }, http.StatusServiceUnavailable},
		"not_json":          {"", func(string) string { return "<html>" }, http.StatusServiceUnavailable},
		"too_large": {"", func(url string) string {
			return strings.Repeat(" ", 1<<20) + says(url, url+"/keys")
		}, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			k := provider(t, set, row.document)
			issuer := k.url + row.suffix
			a := mustNew(t, discovering(issuer, time.Hour))

			if got, _ := identify(t, a, s.Token(t, nil, authtest.Object{"iss": issuer}), nil); got != row.want {
				t.Errorf("%d, want %d", got, row.want)
			}
		})
	}
}

func TestDiscoveredKeysMayMove(t *testing.T) {
	t.Parallel()

	s, next := authtest.NewSigner(t, "EdDSA", authtest.KeyID), authtest.NewSigner(t, "EdDSA", "next")
	k := provider(t, authtest.KeySet(t, s), func(url string) string { return says(url, url+"/keys") })
	a := mustNew(t, discovering(k.url, 20*time.Millisecond))
	claims := authtest.Object{"iss": k.url}

	if got, _ := identify(t, a, s.Token(t, nil, claims), nil); got != http.StatusOK {
		t.Fatalf("%d", got)
	}

	k.serve(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case wellKnown:
			_, _ = fmt.Fprint(w, says(k.url, k.url+"/moved"))
		case "/moved":
			_, _ = w.Write(authtest.KeySet(t, next))
		default:
			http.NotFound(w, r)
		}
	})

	eventually(t, "the keys at the new place", func() bool {
		got, _ := identify(t, a, next.Token(t, nil, claims), nil)

		return got == http.StatusOK
	})
}

func TestIssuerWithoutKeysMustBeAPlaceToAsk(t *testing.T) {
	t.Parallel()

	for _, issuer := range []string{"login.example.com", "http://login.example.com", "https://", "ftp://login.example.com"} {
		if err := try(t, discovering(issuer, time.Hour)); err == nil || !strings.Contains(err.Error(), issuer) {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}
