package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/auth"
)

// try returns the error of New.
func try(t *testing.T, issuers ...auth.Issuer) error {
	t.Helper()

	_, err := auth.New(t.Context(), auth.Config{Issuers: issuers}, slog.New(slog.DiscardHandler))

	return err
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()

	file := keyFile(t, keySetOf(t, newSigner(t, "EdDSA", keyName)))
	good := auth.Issuer{Issuer: issuerName, Audiences: []string{audience}, JWKSFile: file}

	tests := []struct {
		name   string
		change func(*auth.Issuer)
		want   string
	}{
		{"no_name", func(i *auth.Issuer) { i.Issuer = "" }, "has no name"},
		{"no_audience", func(i *auth.Issuer) { i.Audiences = nil }, "needs audiences"},
		{"empty_audience", func(i *auth.Issuer) { i.Audiences = []string{audience, ""} }, "needs audiences"},
		{"symmetric_algorithm", func(i *auth.Issuer) { i.Algorithms = []string{"EdDSA", "HS256"} }, `"HS256"`},
		{"no_algorithm", func(i *auth.Issuer) { i.Algorithms = []string{"none"} }, `"none"`},
		{"discovery_over_http", func(i *auth.Issuer) { i.Issuer, i.JWKSFile = "http://issuer.example", "" }, "not https"},
		{"two_places_of_keys", func(i *auth.Issuer) { i.JWKSURL = "https://issuer.example/keys" }, "both a key file and a key URL"},
		{"plain_http", func(i *auth.Issuer) { i.JWKSFile, i.JWKSURL = "", "http://issuer.example/keys" }, "not https"},
		{"file_url", func(i *auth.Issuer) { i.JWKSFile, i.JWKSURL = "", "file:///etc/passwd" }, "not https"},
		{"no_url", func(i *auth.Issuer) { i.JWKSFile, i.JWKSURL = "", "::" }, "parse URL"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			config := good
			tt.change(&config)

			err := try(t, config)
			if !errors.Is(err, auth.ErrConfig) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}

	t.Run("issuer_twice", func(t *testing.T) {
		t.Parallel()

		if err := try(t, good, good); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("error = %v", err)
		}
	})

	t.Run("missing_file", func(t *testing.T) {
		t.Parallel()

		config := good
		config.JWKSFile = file + ".missing"

		if err := try(t, config); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestKeyFileFaultsAreNamed(t *testing.T) {
	t.Parallel()

	ed := newSigner(t, "EdDSA", keyName)
	ec := newSigner(t, "ES256", keyName)

	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}

	weakSigner := signer{alg: "RS256", kid: "weak", private: weak}

	tests := []struct {
		name string
		key  object // Alone in the set, or beside a good one.
		want string
		// alone tells that the fault goes unnoticed beside a good key.
		alone bool
	}{
		{"private", ed.jwk(t, object{"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}), "private or symmetric", false},
		{"rsa_private_in_part", weakSigner.jwk(t, object{"d": "AQAB"}), "private or symmetric", false},
		{"symmetric", object{"kty": "oct", "k": "c2VjcmV0", "kid": "k"}, "private or symmetric", false},
		{"symmetric_disguised", ed.jwk(t, object{"k": "c2VjcmV0"}), "private or symmetric", false},
		{"for_encryption", ed.jwk(t, object{"use": "enc"}), `use is "enc"`, true},
		{"for_wrapping", ed.jwk(t, object{"use": nil, "key_ops": []string{"wrapKey"}}), "key_ops", true},
		{"weak_rsa", weakSigner.jwk(t, nil), "cannot be used", true},
		{"alg_of_another_type", ec.jwk(t, object{"alg": "RS256"}), `alg "RS256"`, true},
		{"alg_symmetric", ec.jwk(t, object{"alg": "HS256"}), `alg "HS256"`, true},
		{"not_on_the_curve", ec.jwk(t, object{"x": "AAAA"}), "not on the specified curve", true},
		{"unknown_type", object{"kty": "AKP", "kid": "k"}, "unsupported key", true},
		{"unknown_curve", object{"kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA"}, "unsupported", true},
		{"key_agreement", object{"kty": "OKP", "crv": "X25519", "x": strings.Repeat("A", 43)}, "cannot be used", true},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			config := auth.Issuer{Issuer: issuerName, Audiences: []string{audience}}
			config.JWKSFile = keyFile(t, mustJSON(t, object{"keys": []any{tt.key}}))

			err := try(t, config)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), config.JWKSFile) {
				t.Errorf("error %v does not say %q and name the file", err, tt.want)
			}

			config.JWKSFile = keyFile(t, mustJSON(t, object{"keys": []any{tt.key, newSigner(t, "ES384", "good").jwk(t, nil)}}))
			if err := try(t, config); (err == nil) != tt.alone {
				t.Errorf("beside a good key: %v", err)
			}
		})
	}

	for name, data := range map[string]string{
		"empty_file": "", "empty_set": `{"keys":[]}`, "no_set": `{}`, "trailing": `{"keys":[]}x`,
		"not_json": "-----BEGIN PUBLIC KEY-----",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			config := auth.Issuer{Issuer: issuerName, Audiences: []string{audience}, JWKSFile: keyFile(t, []byte(data))}
			if err := try(t, config); err == nil || !strings.Contains(err.Error(), config.JWKSFile) {
				t.Errorf("error %v does not name the file", err)
			}
		})
	}
}

func TestKeyWithoutAlgServesAllOfItsType(t *testing.T) {
	t.Parallel()

	s := newSigner(t, "RS256", keyName)
	config := trusting(t, s)
	config.JWKSFile = keyFile(t, mustJSON(t, object{"keys": []any{s.jwk(t, object{"alg": nil})}}))
	url := start(t, mustNew(t, config))
	pss := signer{alg: "PS256", kid: keyName, private: s.private}

	for _, s := range []signer{s, pss} {
		if got := call(t, url, "Bearer "+s.token(t, nil, nil)); got.status != http.StatusOK {
			t.Errorf("%s: %+v", s.alg, got)
		}
	}
}

func TestCertificatesInTheSetAreNotFetched(t *testing.T) {
	t.Parallel()

	a, visits := newAttack(t)
	config := trusting(t, a.good)
	key := a.good.jwk(t, object{"x5u": a.evilURL, "x5c": []string{"AAAA"}})
	config.JWKSFile = keyFile(t, mustJSON(t, object{"keys": []any{key}}))
	call(t, start(t, mustNew(t, config)), "Bearer "+a.good.token(t, nil, nil)).principal(t)

	if visits.Load() != 0 {
		t.Errorf("x5u was fetched %d times", visits.Load())
	}
}

func TestWithoutIssuersEveryTokenIsRefused(t *testing.T) {
	t.Parallel()

	url := start(t, mustNew(t))
	call(t, url).principal(t)

	if got := call(t, url, "Bearer "+newSigner(t, "EdDSA", keyName).token(t, nil, nil)); got.status != http.StatusUnauthorized {
		t.Errorf("answer = %+v", got)
	}
}
