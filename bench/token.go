package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/portico-gateway/portico/bench/internal/sample"
)

// What stands in every token. The top-level domain "invalid" belongs to nobody (RFC 2606).
const (
	issuer   = "https://bench.portico.invalid"
	audience = "portico"
	keyID    = "bench"
	// tokenLifetime is longer than any run.
	tokenLifetime = 2 * time.Hour
)

// newToken makes a key, writes its public half to a file (RFC 7517) and signs a token for the one user (RFC 7519).
func newToken(jwksFile string) (string, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", fmt.Errorf("make key: %w", err)
	}

	type object = map[string]any

	set := object{"keys": []object{{
		"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": keyID,
		"x": base64.RawURLEncoding.EncodeToString(public),
	}}}
	header := object{"alg": "EdDSA", "typ": "JWT", "kid": keyID}
	now := time.Now()
	claims := object{
		"iss": issuer, "aud": audience, "sub": sample.UserID, "scope": "openid profile orders:read",
		"iat": now.Unix(), "exp": now.Add(tokenLifetime).Unix(),
	}

	var parts [3]string

	for i, part := range []object{set, header, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			return "", fmt.Errorf("make token: %w", err)
		}

		parts[i] = string(text)
	}

	if err := os.WriteFile(jwksFile, []byte(parts[0]), 0o600); err != nil {
		return "", fmt.Errorf("write key set: %w", err)
	}

	signed := base64.RawURLEncoding.EncodeToString([]byte(parts[1])) + "." + base64.RawURLEncoding.EncodeToString([]byte(parts[2]))

	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(signed))), nil
}
