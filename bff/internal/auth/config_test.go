package auth_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

// try returns the error of New.
func try(t *testing.T, issuers ...config.Issuer) error {
	t.Helper()

	_, err := open(t.Context(), config.Auth{Issuers: issuers})

	return err
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()

	file := keyFile(t, authtest.KeySet(t, authtest.NewSigner(t, "EdDSA", authtest.KeyID)))
	good := config.Issuer{Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}, JWKSFile: file}

	tests := []struct {
		name   string
		change func(*config.Issuer)
		want   string
	}{
		{"subject_prefix", func(i *config.Issuer) { i.SubjectPrefix = "zoë:" }, "subject prefix must be printable ASCII"},
		{"discovery_over_http", func(i *config.Issuer) { i.Issuer, i.JWKSFile = "http://issuer.example", "" }, "not https"},
		{"plain_http", func(i *config.Issuer) { i.JWKSFile, i.JWKSURL = "", "http://issuer.example/keys" }, "not https"},
		{"file_url", func(i *config.Issuer) { i.JWKSFile, i.JWKSURL = "", "file:///etc/passwd" }, "not https"},
		{"no_url", func(i *config.Issuer) { i.JWKSFile, i.JWKSURL = "", "::" }, "parse URL"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			cfg := good
			tt.change(&cfg)

			err := try(t, cfg)
			if !errors.Is(err, auth.ErrConfig) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}

	t.Run("missing_file", func(t *testing.T) {
		t.Parallel()

		cfg := good
		cfg.JWKSFile = file + ".missing"

		if err := try(t, cfg); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestKeyFileFaultsAreNamed(t *testing.T) {
	t.Parallel()

	ed := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	ec := authtest.NewSigner(t, "ES256", authtest.KeyID)

	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}

	weakSigner := authtest.Signer{Alg: "RS256", KeyID: "weak", Private: weak}

	tests := []struct {
		name string
		key  authtest.Object // Alone in the set, or beside a good one.
		want string
		// alone reports that the fault goes unnoticed beside a good key.
		alone bool
	}{
		{"private", ed.JWK(t, authtest.Object{"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}), "private or symmetric", false},
		{"rsa_private_in_part", weakSigner.JWK(t, authtest.Object{"d": "AQAB"}), "private or symmetric", false},
		{"symmetric", authtest.Object{"kty": "oct", "k": "c2VjcmV0", "kid": "k"}, "private or symmetric", false},
		{"symmetric_disguised", ed.JWK(t, authtest.Object{"k": "c2VjcmV0"}), "private or symmetric", false},
		{"for_encryption", ed.JWK(t, authtest.Object{"use": "enc"}), `use is "enc"`, true},
		{"for_wrapping", ed.JWK(t, authtest.Object{"use": nil, "key_ops": []string{"wrapKey"}}), "key_ops", true},
		{"weak_rsa", weakSigner.JWK(t, nil), "cannot be used", true},
		{"rsa_of_16384_bits", ofBits(16384), "cannot be used", true},
		{"rsa_of_a_million_bits", ofBits(1 << 20), "cannot be used", true},
		{"rsa_with_an_even_exponent", authtest.Changed(ofBits(2048), authtest.Object{"e": "Ag"}), "cannot be used", true},
		{"rsa_with_a_huge_exponent", authtest.Changed(ofBits(2048), authtest.Object{"e": strings.Repeat("_", 300)}), "", true},
		{"alg_of_another_type", ec.JWK(t, authtest.Object{"alg": "RS256"}), `alg "RS256"`, true},
		{"alg_symmetric", ec.JWK(t, authtest.Object{"alg": "HS256"}), `alg "HS256"`, true},
		{"not_on_the_curve", ec.JWK(t, authtest.Object{"x": "AAAA"}), "not on the specified curve", true},
		{"unknown_type", authtest.Object{"kty": "AKP", "kid": "k"}, "unsupported key", true},
		{"unknown_curve", authtest.Object{"kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA"}, "unsupported", true},
		{"key_agreement", authtest.Object{"kty": "OKP", "crv": "X25519", "x": strings.Repeat("A", 43)}, "cannot be used", true},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			cfg := config.Issuer{Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}}
			cfg.JWKSFile = keyFile(t, authtest.JSON(t, authtest.Object{"keys": []any{tt.key}}))

			err := try(t, cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), cfg.JWKSFile) {
				t.Errorf("error %v does not say %q and name the file", err, tt.want)
			}

			cfg.JWKSFile = keyFile(t, authtest.JSON(t, authtest.Object{"keys": []any{tt.key, authtest.NewSigner(t, "ES384", "good").JWK(t, nil)}}))
			if err := try(t, cfg); (err == nil) != tt.alone {
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

			cfg := config.Issuer{Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}, JWKSFile: keyFile(t, []byte(data))}
			if err := try(t, cfg); err == nil || !strings.Contains(err.Error(), cfg.JWKSFile) {
				t.Errorf("error %v does not name the file", err)
			}
		})
	}
}

func TestKeyWithoutAlgServesAllOfItsType(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "RS256", authtest.KeyID)
	cfg := trusting(t, s)
	cfg.JWKSFile = keyFile(t, authtest.JSON(t, authtest.Object{"keys": []any{s.JWK(t, authtest.Object{"alg": nil})}}))
	url := start(t, mustNew(t, cfg))
	pss := authtest.Signer{Alg: "PS256", KeyID: authtest.KeyID, Private: s.Private}

	for _, s := range []authtest.Signer{s, pss} {
		if got := call(t, url, "Bearer "+s.Token(t, nil, nil)); got.status != http.StatusOK {
			t.Errorf("%s: %+v", s.Alg, got)
		}
	}
}

// ofBits is an RSA key with a modulus of this length, which is all that counts here.
func ofBits(bits int) authtest.Object {
	modulus := bytes.Repeat([]byte{0xff}, bits/8)

	return authtest.Object{"kty": "RSA", "kid": "large", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(modulus)}
}

func TestCertificatesInTheSetAreNotFetched(t *testing.T) {
	t.Parallel()

	h := authtest.NewHostile(t)
	cfg := trusting(t, h.Good)
	key := h.Good.JWK(t, authtest.Object{"x5u": h.URL, "x5c": []string{"AAAA"}})
	cfg.JWKSFile = keyFile(t, authtest.JSON(t, authtest.Object{"keys": []any{key}}))
	call(t, start(t, mustNew(t, cfg)), "Bearer "+h.Good.Token(t, nil, nil)).principal(t)

	if visits := h.Visits.Load(); visits != 0 {
		t.Errorf("x5u was fetched %d times", visits)
	}
}

func TestWithoutIssuersEveryTokenIsRefused(t *testing.T) {
	t.Parallel()

	url := start(t, mustNew(t))
	call(t, url).principal(t)

	if got := call(t, url, "Bearer "+authtest.NewSigner(t, "EdDSA", authtest.KeyID).Token(t, nil, nil)); got.status != http.StatusUnauthorized {
		t.Errorf("answer = %+v", got)
	}
}
