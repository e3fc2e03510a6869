package identity_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/identity"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const issuer = "https://gateway.example"

func mustOpen(tb testing.TB, cfg config.InternalToken) *identity.Signer {
	tb.Helper()

	cfg.Issuer = issuer

	s, err := identity.Open(config.Auth{Internal: cfg}.WithDefaults().Internal)
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

func mustSign(tb testing.TB, s *identity.Signer, audience string, p reqinfo.Principal) string {
	tb.Helper()

	signed, err := s.For(audience)(p)
	if err != nil {
		tb.Fatal(err)
	}

	return signed
}

func ed(tb testing.TB) crypto.Signer {
	tb.Helper()

	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}

	return private
}

func ec(tb testing.TB, curve elliptic.Curve) crypto.Signer {
	tb.Helper()

	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}

	return private
}

func pkcs8(tb testing.TB, private crypto.Signer) string {
	tb.Helper()

	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}

	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func write(tb testing.TB, text string) string {
	tb.Helper()

	file := filepath.Join(tb.TempDir(), "keys.pem")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}

	return file
}

// keySet asks the handler, as a backend does.
func keySet(tb testing.TB, s *identity.Signer) (jwkset.Storage, http.Header) {
	tb.Helper()

	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/jwks.json", nil))

	if strings.Contains(w.Body.String(), `"d"`) {
		tb.Fatal("a private key is published")
	}

	var set jwkset.JWKSMarshal
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
		tb.Fatal(err)
	}

	storage, err := set.ToStorage()
	if err != nil {
		tb.Fatal(err)
	}

	return storage, w.Header()
}

// verify reads a token as a backend does.
func verify(set jwkset.Storage, signed string, options ...jwt.ParserOption) (*jwt.Token, error) {
	options = append(options, jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithValidMethods([]string{"EdDSA", "ES256"}))

	return jwt.Parse(signed, func(t *jwt.Token) (any, error) {
		k, err := set.KeyRead(context.Background(), fmt.Sprint(t.Header["kid"]))
		if err != nil {
			return nil, err
		}

		if k.Marshal().ALG.String() != t.Method.Alg() {
			return nil, fmt.Errorf("key of %s, token of %s", k.Marshal().ALG, t.Method.Alg())
		}

		return k.Key(), nil
	}, options...)
}

func TestTokenIsVerifiedWithThePublishedKeys(t *testing.T) {
	t.Parallel()

	full := reqinfo.Principal{
		Subject: "usr_1", Issuer: "https://login", Scopes: []string{"a", "b"}, Roles: []string{"clerk", "night shift"}, Tenant: "acme",
	}

	tests := []struct {
		name      string
		file      string
		alg       string
		principal reqinfo.Principal
		want      jwt.MapClaims
	}{
		{"made_key", "", "EdDSA", full, jwt.MapClaims{
			"sub": "usr_1", "idp": "https://login", "scope": "a b", "roles": []any{"clerk", "night shift"}, "tenant": "acme",
		}},
		{"ed25519", write(t, pkcs8(t, ed(t))), "EdDSA", full, jwt.MapClaims{
			"sub": "usr_1", "idp": "https://login", "scope": "a b", "roles": []any{"clerk", "night shift"}, "tenant": "acme",
		}},
		{"p256", write(t, pkcs8(t, ec(t, elliptic.P256()))), "ES256", reqinfo.Principal{Subject: "usr_2"}, jwt.MapClaims{"sub": "usr_2"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			s := mustOpen(t, config.InternalToken{KeyFile: tt.file})
			set, header := keySet(t, s)
			signed := mustSign(t, s, "order", tt.principal)

			verified, err := verify(set, signed, jwt.WithAudience("order"), jwt.WithIssuer(issuer))
			if err != nil {
				t.Fatal(err)
			}

			if verified.Header["typ"] != "JWT" || verified.Header["alg"] != tt.alg {
				t.Errorf("got header %v", verified.Header)
			}

			claims := verified.Claims.(jwt.MapClaims)
			if claims["exp"].(float64)-claims["iat"].(float64) != 60 || len(claims["jti"].(string)) < 20 {
				t.Errorf("got %v", claims)
			}

			for _, name := range []string{"exp", "iat", "jti"} {
				delete(claims, name)
			}

			tt.want["iss"], tt.want["aud"] = issuer, "order"
			if diff := cmp.Diff(tt.want, claims); diff != "" {
				t.Error(diff)
			}

			if header.Get("Content-Type") != "application/jwk-set+json" || header.Get("Cache-Control") != "max-age=30" {
				t.Errorf("the key set has %v", header)
			}

			if _, err := verify(set, signed, jwt.WithAudience("user"), jwt.WithIssuer(issuer)); err == nil {
				t.Error("holds for another audience")
			}

			if _, err := verify(set, signed, jwt.WithAudience("order"), jwt.WithIssuer("https://other")); err == nil {
				t.Error("holds for another issuer")
			}

			others, _ := keySet(t, mustOpen(t, config.InternalToken{}))
			if _, err := verify(others, signed); err == nil {
				t.Error("holds with the keys of another gateway")
			}
		})
	}
}

// A key is published before it signs, and after.
func TestKeysTakeTurns(t *testing.T) {
	t.Parallel()

	first, second := pkcs8(t, ed(t)), pkcs8(t, ec(t, elliptic.P256()))
	before := mustOpen(t, config.InternalToken{KeyFile: write(t, first+second)})
	after := mustOpen(t, config.InternalToken{KeyFile: write(t, "\n"+second+"\n"+first+"\n")})

	for name, s := range map[string]*identity.Signer{"before": before, "after": after} {
		set, _ := keySet(t, s)

		keys, err := set.KeyReadAll(t.Context())
		if err != nil || len(keys) != 2 {
			t.Fatalf("%s: published %d keys, %v", name, len(keys), err)
		}

		for _, signer := range []*identity.Signer{before, after} {
			if _, err := verify(set, mustSign(t, signer, "order", reqinfo.Principal{Subject: "usr_1"})); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Once, the file was read only at the start.
func TestKeyFileIsReadAgain(t *testing.T) {
	t.Parallel()

	first, second := pkcs8(t, ed(t)), pkcs8(t, ec(t, elliptic.P256()))
	file := write(t, first)
	s := mustOpen(t, config.InternalToken{KeyFile: file})
	old, _ := keySet(t, s)

	mustSign(t, s, "order", reqinfo.Principal{Subject: "usr_1"})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()

		go s.Watch(ctx, filewatch.Config{Interval: time.Minute, Logger: slog.New(slog.DiscardHandler)})

		for _, text := range []string{second + first, "nonsense"} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}

			time.Sleep(2 * time.Minute)
			synctest.Wait()
		}

		cancel()
		synctest.Wait()
	})

	// A token of the old key is not used any more.
	signed := mustSign(t, s, "order", reqinfo.Principal{Subject: "usr_1"})
	if _, err := verify(old, signed); err == nil {
		t.Error("signed by the old key")
	}

	set, _ := keySet(t, s)
	if _, err := verify(set, signed); err != nil {
		t.Error(err)
	}

	if keys, err := set.KeyReadAll(t.Context()); err != nil || len(keys) != 2 {
		t.Errorf("published %d keys, %v", len(keys), err)
	}
}

// The example of RFC 8037, appendix A.1 and A.3.
func TestKeyIsNamedByItsThumbprint(t *testing.T) {
	t.Parallel()

	seed := []byte("\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4" +
		"\x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60")
	s := mustOpen(t, config.InternalToken{KeyFile: write(t, pkcs8(t, ed25519.NewKeyFromSeed(seed)))})
	set, _ := keySet(t, s)

	if _, err := set.KeyRead(t.Context(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"); err != nil {
		t.Error(err)
	}
}

func TestTokenIsUsedAgainUntilHalfOfItsLifetime(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, config.InternalToken{Lifetime: 10 * time.Second})
		p := reqinfo.Principal{Subject: "usr_1"}
		first := mustSign(t, s, "order", p)

		time.Sleep(5*time.Second - time.Nanosecond)

		if mustSign(t, s, "order", p) != first {
			t.Error("signed again before half of the lifetime was over")
		}

		time.Sleep(time.Nanosecond)

		second := mustSign(t, s, "order", p)
		if second == first {
			t.Error("not renewed")
		}

		time.Sleep(5 * time.Second)

		set, _ := keySet(t, s)
		if _, err := verify(set, first); err == nil {
			t.Error("the first token holds after its lifetime")
		}

		if _, err := verify(set, second); err != nil {
			t.Errorf("the second token: %v", err)
		}
	})
}

func TestCallersNeverShareAToken(t *testing.T) {
	t.Parallel()

	callers := []reqinfo.Principal{
		{Subject: "a"},
		{Subject: "a", Issuer: "b"},
		{Subject: "a", Tenant: "b"},
		{Subject: "a", Scopes: []string{"b"}},
		{Subject: "a", Roles: []string{"b"}},
		{Subject: "ab"},
		{Subject: "a", Issuer: "b", Tenant: "c"},
		{Subject: "a", Issuer: "bc"},
		{Subject: "a", Issuer: "c", Tenant: "b"},
		{Subject: "a", Scopes: []string{"b", "c"}},
		{Subject: "a", Scopes: []string{"b c"}},
		{Subject: "a", Scopes: []string{"bc"}},
		{Subject: "a", Scopes: []string{"c", "b"}},
		{Subject: "a", Scopes: []string{"b"}, Roles: []string{"c"}},
		{Subject: "a", Roles: []string{"b", "c"}},
		{Subject: "a", Roles: []string{"b,c"}},
		{Subject: "a", Roles: []string{""}},
		{Subject: "a", Scopes: []string{""}},
		{Subject: "a\x00b"},
		{Subject: "a1:b"},
		{Subject: "a0:0:0;0;"},
	}

	s := mustOpen(t, config.InternalToken{})
	seen := map[string]string{}

	// The audience shifts into the subject, too.
	for _, audience := range []string{"order", "order1:a", ""} {
		for _, p := range callers {
			who := fmt.Sprintf("%q %+q", audience, p)
			signed := mustSign(t, s, audience, p)

			if other, shared := seen[signed]; shared {
				t.Errorf("%s has the token of %s", who, other)
			}

			if mustSign(t, s, audience, p) != signed {
				t.Errorf("%s: not used again", who)
			}

			seen[signed] = who
		}
	}

	if signed, err := s.For("order")(reqinfo.Principal{Tenant: "acme", Roles: []string{"root"}}); err == nil {
		t.Errorf("nobody got %s", signed)
	}
}

func TestForIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()

	s := mustOpen(t, config.InternalToken{})
	set, _ := keySet(t, s)
	sign := s.For("order")

	var wg sync.WaitGroup

	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				subject := fmt.Sprint((i + j) % 10)

				signed, err := sign(reqinfo.Principal{Subject: subject})
				if err != nil {
					t.Error(err)

					return
				}

				verified, err := verify(set, signed)
				if err != nil {
					t.Error(err)

					return
				}

				if got, _ := verified.Claims.GetSubject(); got != subject {
					t.Errorf("%s got the token of %s", subject, got)
				}
			}
		})
	}

	wg.Wait()
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()

	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}

	good := pkcs8(t, ed(t))
	public, err := x509.MarshalPKIXPublicKey(ed(t).Public())
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name, text, want string
	}{
		{"rsa", pkcs8(t, weak), "*rsa.PrivateKey"},
		{"another_curve", pkcs8(t, ec(t, elliptic.P384())), "P-384"},
		{"second_key_rsa", good + pkcs8(t, weak), "key 2"},
		{"garbage", "hello", "not PEM"},
		{"garbage_before", "hello\n" + good, "not PEM"},
		{"garbage_after", good + "hello", "not PEM"},
		{"mangled_first_key", strings.Replace(good, "END", "EMD", 1) + good, "not PEM"},
		{"empty", "", "is empty"},
		{"blank", " \n", "is empty"},
		{"public_key", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), `"PUBLIC KEY"`},
		{"no_pkcs8", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})), "key 1"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			file := write(t, tt.text)

			_, err := identity.Open(config.InternalToken{Issuer: issuer, KeyFile: file})
			if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}

	missing := filepath.Join(t.TempDir(), "missing.pem")
	if _, err := identity.Open(config.InternalToken{Issuer: issuer, KeyFile: missing}); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing file: got %v", err)
	}
}

func ExampleOpen() {
	signer, err := identity.Open(config.InternalToken{Issuer: "https://gateway.example", Lifetime: time.Minute})
	if err != nil {
		fmt.Println(err)

		return
	}

	token, err := signer.For("order")(reqinfo.Principal{Subject: "usr_1"})
	fmt.Println(strings.Count(token, "."), err)
	// Output: 2 <nil>
}

func BenchmarkFor(b *testing.B) {
	p := reqinfo.Principal{Subject: "usr_1", Issuer: "https://login", Scopes: []string{"a", "b"}, Roles: []string{"clerk"}, Tenant: "acme"}

	s := mustOpen(b, config.InternalToken{})
	sign := s.For("order")

	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()

		for b.Loop() {
			if _, err := sign(p); err != nil {
				b.Fatal(err)
			}
		}
	})

	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()

		for i := 0; b.Loop(); i++ {
			p.Subject = fmt.Sprint(i)
			if _, err := sign(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
