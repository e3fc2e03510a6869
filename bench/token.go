package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// What stands in every token. The top-level domain "invalid" belongs to nobody (RFC 2606).
const (
	issuer   = "https://bench.portico.invalid"
	audience = "portico"
	keyID    = "bench"
	// tokenLifetime is longer than any run.
	tokenLifetime = 2 * time.Hour
)

type object = map[string]any

// signer makes tokens (RFC 7519).
type signer ed25519.PrivateKey

// newSigner makes a key and writes its public half to a file (RFC 7517).
func newSigner(jwksFile string) (signer, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}

	set, err := json.Marshal(object{"keys": []object{{
		"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": keyID,
		"x": base64.RawURLEncoding.EncodeToString(public),
	}}})
	if err != nil {
		return nil, fmt.Errorf("make key set: %w", err)
	}

	if err := os.WriteFile(jwksFile, set, 0o600); err != nil {
		return nil, fmt.Errorf("write key set: %w", err)
	}

	return signer(private), nil
}

// token signs a token for a user.
func (s signer) token(user string) (string, error) {
	now := time.Now()
	header := object{"alg": "EdDSA", "typ": "JWT", "kid": keyID}
	claims := object{
		"iss": issuer, "aud": audience, "sub": user, "scope": "openid profile orders:read",
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

	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(ed25519.PrivateKey(s), []byte(signed))), nil
}
