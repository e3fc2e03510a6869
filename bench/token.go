package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"time"

	"github.com/portico-gateway/portico/bench/internal/sample"
)

const (
	keyID = "bench"
	// tokenLifetime is longer than any run.
	tokenLifetime = 2 * time.Hour
)

type object = map[string]any

// signer makes tokens (RFC 7519). They are signed with RSA, as most issuers sign them: of the usual algorithms it is the one whose
// signatures cost the least to verify.
type signer struct{ key *rsa.PrivateKey }

// newSigner makes a key and writes its public half to a file (RFC 7517).
func newSigner(jwksFile string) (signer, error) {
	const bits = 2048

	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return signer{}, fmt.Errorf("make key: %w", err)
	}

	set, err := json.Marshal(object{"keys": []object{{
		"kty": "RSA", "alg": sample.Algorithm, "use": "sig", "kid": keyID,
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}}})
	if err != nil {
		return signer{}, fmt.Errorf("make key set: %w", err)
	}

	if err := os.WriteFile(jwksFile, set, 0o600); err != nil {
		return signer{}, fmt.Errorf("write key set: %w", err)
	}

	return signer{key: key}, nil
}

// token signs a token for a user.
func (s signer) token(user string) (string, error) {
	now := time.Now()
	header := object{"alg": sample.Algorithm, "typ": "JWT", "kid": keyID}
	claims := object{
		"iss": sample.Issuer, "aud": sample.Audience, "sub": user, "scope": "openid profile orders:read",
		"iat": now.Unix(), "exp": now.Add(tokenLifetime).Unix(),
	}

	var parts [2]string

	for i, part := range []object{header, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			return "", fmt.Errorf("make token: %w", err)
		}

		parts[i] = base64.RawURLEncoding.EncodeToString(text)
	}

	signed := parts[0] + "." + parts[1]

	digest := sha256.Sum256([]byte(signed))

	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}

	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
