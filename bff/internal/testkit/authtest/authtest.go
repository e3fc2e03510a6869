// Package authtest signs tokens for tests: good ones, and those of attackers (Hostile).
package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// The values of GoodClaims, and the id of a key.
const (
	Issuer   = "https://issuer.example"
	Audience = "portico"
	KeyID    = "key-1"
)

// Object is a JSON object.
type Object = map[string]any

// Signer is an issuer's key.
type Signer struct {
	Alg, KeyID string
	Private    crypto.Signer
}

// NewSigner makes a key for the algorithm.
func NewSigner(tb testing.TB, alg, keyID string) Signer {
	tb.Helper()

	const rsaBits = 2048

	var (
		private crypto.Signer
		err     error
	)

	switch alg {
	case "RS256", "PS256":
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}

	if err != nil {
		tb.Fatal(err)
	}

	return Signer{Alg: alg, KeyID: keyID, Private: private}
}

// JWK is the public key, with changes; see Changed.
func (s Signer) JWK(tb testing.TB, changes Object) Object {
	tb.Helper()

	key, err := jwkset.NewJWKFromKey(s.Private.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{
		ALG: jwkset.ALG(s.Alg), KID: s.KeyID, USE: jwkset.UseSig,
	}})
	if err != nil {
		tb.Fatal(err)
	}

	var out Object
	if err := json.Unmarshal(JSON(tb, key.Marshal()), &out); err != nil {
		tb.Fatal(err)
	}

	return Changed(out, changes)
}

// Token signs good claims, with changes.
func (s Signer) Token(tb testing.TB, header, claims Object) string {
	tb.Helper()

	return s.Sign(tb, Changed(Object{"alg": s.Alg, "kid": s.KeyID, "typ": "at+jwt"}, header), Changed(GoodClaims(), claims))
}

// Sign signs header and claims as JSON.
func (s Signer) Sign(tb testing.TB, header, claims any) string {
	tb.Helper()

	return s.SignRaw(tb, string(JSON(tb, header)), string(JSON(tb, claims)))
}

// SignRaw signs header and claims as they are, JSON or not.
func (s Signer) SignRaw(tb testing.TB, header, claims string) string {
	tb.Helper()

	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(header)) + "." + encode([]byte(claims))

	signature, err := jwt.GetSigningMethod(s.Alg).Sign(text, s.Private)
	if err != nil {
		tb.Fatal(err)
	}

	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Segment is a part of a token: JSON in base64.
func Segment(tb testing.TB, value any) string {
	tb.Helper()

	return base64.RawURLEncoding.EncodeToString(JSON(tb, value))
}

// GoodClaims returns the claims of a token that is valid for an hour.
func GoodClaims() Object {
	now := time.Now()

	return Object{
		"iss": Issuer, "aud": Audience, "sub": "ada", "scope": "orders:read orders:write",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

// Changed returns an object with other values; nil removes a member.
func Changed(base, changes Object) Object {
	out := maps.Clone(base)

	for name, value := range changes {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}

	return out
}

// JSON is the value as JSON.
func JSON(tb testing.TB, value any) []byte {
	tb.Helper()

	data, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}

	return data
}

// KeySet is a JSON Web Key Set of the public keys.
func KeySet(tb testing.TB, signers ...Signer) []byte {
	tb.Helper()

	keys := make([]any, 0, len(signers))
	for _, s := range signers {
		keys = append(keys, s.JWK(tb, nil))
	}

	return JSON(tb, Object{"keys": keys})
}
