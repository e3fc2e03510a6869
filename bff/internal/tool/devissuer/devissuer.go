// Package devissuer signs access tokens for development: a gateway on a laptop, a demonstration, a test.
//
// It is not for production. Anyone who can read its folder can sign in as any user, its key never changes, and it checks no
// password.
package devissuer

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Claims of every token. The top-level domain "invalid" is reserved (RFC 2606), so no real issuer has this name.
const (
	IssuerName = "https://dev.portico.invalid"
	Audience   = "portico"
)

// The files in the folder.
const (
	privateFile = "dev-issuer.jwk.json"
	publicFile  = "dev-issuer.jwks.json"
)

// ErrRequest is what Token returns if it is asked for a token that no gateway would accept.
var ErrRequest = errors.New("no such token can be made")

var errLife = fmt.Errorf("%w: it must be valid for at least a second", ErrRequest)

// DevIssuer signs tokens. It is safe for concurrent use.
type DevIssuer struct {
	dir string
	kid string
	key ed25519.PrivateKey
	// created says that Open made the key.
	created bool
}

// Open reads the key from the folder, or creates both. Several processes may do so at the same time; they get the same key.
func Open(dir string) (*DevIssuer, error) {
	const onlyOwner = 0o700
	if err := os.MkdirAll(dir, onlyOwner); err != nil {
		return nil, fmt.Errorf("open development issuer: %w", err)
	}

	key, created, err := loadOrCreate(filepath.Join(dir, privateFile))
	if err != nil {
		return nil, fmt.Errorf("open development issuer: %w", err)
	}

	d := &DevIssuer{dir: dir, kid: keyID(key), key: key, created: created}
	if err := d.publish(); err != nil {
		return nil, fmt.Errorf("open development issuer: %w", err)
	}

	return d, nil
}

// Created reports whether Open made the key, so that no gateway knows it yet.
func (d *DevIssuer) Created() bool { return d.created }

// Key is the private key, for a provider that signs tokens of its own.
func (d *DevIssuer) Key() ed25519.PrivateKey { return d.key }

// KeyID is the name of the key, which is also that in JWKSFile.
func (d *DevIssuer) KeyID() string { return d.kid }

// JWKSFile is where the public key is, as a JSON Web Key Set.
func (d *DevIssuer) JWKSFile() string { return filepath.Join(d.dir, publicFile) }

// Token signs a token for a subject that holds from now on for the time to live. Times in tokens are whole seconds. An element of
// scopes may be several, with spaces between them.
func (d *DevIssuer) Token(subject string, scopes []string, ttl time.Duration, now time.Time) (string, error) {
	if ttl < time.Second {
		return "", errLife
	}

	scope := strings.Join(scopes, " ")

	caller := reqinfo.Principal{Subject: subject, Scopes: strings.FieldsFunc(scope, func(c rune) bool { return c == ' ' })}
	if err := caller.Check(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrRequest, err)
	}

	claims := jwt.MapClaims{
		"iss": IssuerName, "aud": Audience, "sub": subject, "iat": now.Unix(), "exp": now.Add(ttl).Unix(),
	}
	if scope != "" {
		claims["scope"] = scope
	}

	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["kid"] = d.kid

	signed, err := token.SignedString(d.key)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}

	return signed, nil
}

// publish writes the public key. All processes write the same.
func (d *DevIssuer) publish() error {
	jwk, err := toJWK(d.key.Public(), d.kid, false)
	if err != nil {
		return err
	}

	data, err := json.MarshalIndent(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{jwk}}, "", "  ")
	if err != nil {
		return fmt.Errorf("marshal key set: %w", err)
	}

	temp, err := writeTemp(d.dir, data)
	if err != nil {
		return err
	}

	if err := os.Rename(temp, d.JWKSFile()); err != nil {
		return errors.Join(fmt.Errorf("write key set: %w", err), os.Remove(temp))
	}

	return nil
}

// keyID is the thumbprint of the public key (RFC 7638; for Ed25519 RFC 8037, appendix A.3).
func keyID(key ed25519.PrivateKey) string {
	// Sliced from the private key, which ends in the public one (RFC 8032), to be spared a type assertion.
	public := base64.RawURLEncoding.EncodeToString(key[ed25519.SeedSize:])
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + public + `"}`))

	return base64.RawURLEncoding.EncodeToString(sum[:])
}
