package auth_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

// identify asks without a network, as virtual time needs it. The status is 200 for whom Identify lets through.
func identify(tb testing.TB, a *auth.Authenticator, token string, state *tls.ConnectionState) (int, reqinfo.Principal) {
	tb.Helper()

	rec := &reqinfo.Record{}
	r := httptest.NewRequestWithContext(reqinfo.NewContext(tb.Context(), rec), http.MethodGet, "/", nil)
	r.TLS = state

	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}

	w := httptest.NewRecorder()
	a.Identify(nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)

	return w.Code, rec.Principal
}

// bubble runs a test in virtual time over an authenticator that ends with it.
func bubble(t *testing.T, cfg config.Auth, f func(t *testing.T, a *auth.Authenticator)) {
	t.Helper()

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())

		a, err := open(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}

		f(t, a)
		cancel()
		a.Wait()
	})
}

func expectStatus(t *testing.T, what string, a *auth.Authenticator, token string, want int) {
	t.Helper()

	if got, p := identify(t, a, token, nil); got != want || (got == http.StatusOK) == p.Anonymous() {
		t.Errorf("%s: %d, want %d, for %+v", what, got, want, p)
	}
}

// A verdict is about the whole token: whatever byte is changed, in whatever part, is another token.
func TestHazard22OneByteMakesAnotherToken(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	good := s.Token(t, nil, nil)
	a := mustNew(t, trusting(t, s))

	for i := range good {
		other := good[:i] + "A" + good[i+1:]
		if other == good {
			other = good[:i] + "B" + good[i+1:]
		}

		// Once with the bad verdict cached before the good one, and then the other way round.
		expectStatus(t, "changed at "+other[i:], a, other, http.StatusUnauthorized)
		expectStatus(t, "good", a, good, http.StatusOK)
		expectStatus(t, "changed again at "+other[i:], a, other, http.StatusUnauthorized)
	}

	for _, other := range []string{good + "A", good[:len(good)-1], good[1:], "A" + good} {
		expectStatus(t, other, a, other, http.StatusUnauthorized)
	}

	// The last character of a signature has bits that do not count for a lenient decoder.
	last := strings.IndexByte(base64Alphabet, good[len(good)-1])
	for bits := 1; bits < 4; bits++ {
		other := good[:len(good)-1] + string(base64Alphabet[last^bits])
		expectStatus(t, "padding bits", a, other, http.StatusUnauthorized)
	}
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func TestHazard22CachedTokenEndsWithItself(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	cfg := config.Auth{Issuers: []config.Issuer{trusting(t, s)}}
	cfg.Issuers[0].Leeway = 10 * time.Second

	bubble(t, cfg, func(t *testing.T, a *auth.Authenticator) {
		t.Helper()

		token := s.Token(t, nil, authtest.Object{"exp": time.Now().Add(time.Minute).Unix(), "iat": nil})
		expectStatus(t, "at first", a, token, http.StatusOK)

		time.Sleep(70*time.Second - time.Nanosecond)
		expectStatus(t, "just before its end and the leeway", a, token, http.StatusOK)

		time.Sleep(time.Nanosecond)
		expectStatus(t, "at its end and the leeway", a, token, http.StatusUnauthorized)
	})
}

func TestCachedTokenEndsWithItsKey(t *testing.T) {
	t.Parallel()

	s, next := authtest.NewSigner(t, "EdDSA", authtest.KeyID), authtest.NewSigner(t, "EdDSA", "next")
	cfg := config.Auth{Issuers: []config.Issuer{trusting(t, s)}}
	cfg.Issuers[0].RefreshInterval = time.Minute

	bubble(t, cfg, func(t *testing.T, a *auth.Authenticator) {
		t.Helper()

		claims := authtest.Object{"exp": time.Now().Add(time.Hour).Unix(), "iat": nil}
		token, later := s.Token(t, nil, claims), next.Token(t, nil, claims)

		expectStatus(t, "its key is there", a, token, http.StatusOK)
		expectStatus(t, "its key is not there yet", a, later, http.StatusUnauthorized)

		if err := os.WriteFile(cfg.Issuers[0].JWKSFile, authtest.KeySet(t, next), 0o600); err != nil {
			t.Fatal(err)
		}

		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		expectStatus(t, "its key is withdrawn", a, token, http.StatusUnauthorized)
		expectStatus(t, "its key is there now", a, later, http.StatusOK)
	})
}

func TestRefusalsThatTimeChangesAreNotRemembered(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	cfg := config.Auth{Issuers: []config.Issuer{trusting(t, s)}}
	cfg.Issuers[0].Leeway = time.Second

	bubble(t, cfg, func(t *testing.T, a *auth.Authenticator) {
		t.Helper()

		soon, end := time.Now().Add(3*time.Second).Unix(), time.Now().Add(time.Hour).Unix()

		for _, name := range []string{"nbf", "iat"} {
			token := s.Token(t, nil, authtest.Object{"iat": nil, name: soon, "exp": end})
			expectStatus(t, name+" is to come", a, token, http.StatusUnauthorized)

			time.Sleep(2 * time.Second)
			expectStatus(t, name+" has come", a, token, http.StatusOK)

			soon += 2
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)

	a, err := open(t.Context(), config.Auth{Issuers: []config.Issuer{trusting(t, s)}, CacheTokens: 2})
	if err != nil {
		t.Fatal(err)
	}

	tokens := make([]string, 10)
	for i := range tokens {
		tokens[i] = s.Token(t, nil, authtest.Object{"jti": i})
	}

	for range 3 {
		for _, token := range tokens {
			expectStatus(t, "good", a, token, http.StatusOK)
			expectStatus(t, "bad", a, token+"A", http.StatusUnauthorized)
		}
	}

	if _, err := open(t.Context(), config.Auth{CacheTokens: -1}); err == nil {
		t.Error("a cache of -1 tokens is made")
	}
}

// Verify is a token that was not seen before, VerifyCached one that was seen a moment ago.
func BenchmarkVerify(b *testing.B) { benchmark(b, 2) }

func BenchmarkVerifyCached(b *testing.B) { benchmark(b, 1) }

// benchmark verifies so many tokens in turn, with room for one.
func benchmark(b *testing.B, count int) {
	b.Helper()

	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		b.Run(alg, func(b *testing.B) {
			s := authtest.NewSigner(b, alg, authtest.KeyID)

			a, err := open(b.Context(), config.Auth{Issuers: []config.Issuer{trusting(b, s)}, CacheTokens: 1})
			if err != nil {
				b.Fatal(err)
			}

			h := a.Identify(nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			rec := &reqinfo.Record{}
			requests := make([]*http.Request, count)

			for i := range requests {
				requests[i] = httptest.NewRequestWithContext(reqinfo.NewContext(b.Context(), rec), http.MethodGet, "/", nil)
				requests[i].Header.Set("Authorization", "Bearer "+s.Token(b, nil, authtest.Object{"jti": i}))
			}

			w := httptest.NewRecorder()

			b.ReportAllocs()

			for i := 0; b.Loop(); i++ {
				h.ServeHTTP(w, requests[i%count])
			}

			if rec.Principal.Anonymous() {
				b.Fatal("the token was refused")
			}
		})
	}
}
