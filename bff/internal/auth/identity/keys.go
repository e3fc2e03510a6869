package identity

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// key is a private key, with the public one as it is published.
type key struct {
	method  jwt.SigningMethod
	private crypto.Signer
	public  jwkset.JWKMarshal
}

// generateKey makes the key of a gateway without a file.
func generateKey() (key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return key{}, fmt.Errorf("make a key: %w", err)
	}

	return newKey(private)
}

// parseKeys parses PEM blocks. Text between them is refused, too: it may be a damaged key.
func parseKeys(data []byte) ([]key, error) {
	var keys []key

	for data = bytes.TrimSpace(data); len(data) > 0; data = bytes.TrimSpace(data) {
		block, rest := pem.Decode(data)

		// Decode skips what it does not understand, and would take the second key for the first.
		begin := []byte("-----BEGIN ")
		if block == nil || !bytes.HasPrefix(data, begin) || bytes.Count(data[:len(data)-len(rest)], begin) > 1 {
			return nil, errors.New("it has something that is not PEM")
		}

		if block.Type != "PRIVATE KEY" {
			return nil, fmt.Errorf("it has a PEM block of type %q, not a PKCS #8 \"PRIVATE KEY\"", block.Type)
		}

		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", len(keys)+1, err)
		}

		parsed, err := newKey(private)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", len(keys)+1, err)
		}

		keys, data = append(keys, parsed), rest
	}

	if len(keys) == 0 {
		return nil, errors.New("it has no key")
	}

	return keys, nil
}

func newKey(private any) (key, error) {
	var k key

	switch private := private.(type) {
	case ed25519.PrivateKey:
		k = key{method: jwt.SigningMethodEdDSA, private: private}
	case *ecdsa.PrivateKey:
		if private.Curve != elliptic.P256() {
			return key{}, fmt.Errorf("it is of the curve %s; only P-256 is supported", private.Params().Name)
		}

		k = key{method: jwt.SigningMethodES256, private: private}
	default:
		return key{}, fmt.Errorf("it is a %T; only Ed25519 and ECDSA P-256 are supported", private)
	}

	jwk, err := jwkset.NewJWKFromKey(k.private.Public(), jwkset.JWKOptions{
		Metadata: jwkset.JWKMetadataOptions{ALG: jwkset.ALG(k.method.Alg()), USE: jwkset.UseSig},
	})
	if err != nil {
		return key{}, fmt.Errorf("encode public key: %w", err)
	}

	k.public = jwk.Marshal()
	k.public.KID, err = thumbprint(k.public)

	return k, err
}

// thumbprint is the id of a key (RFC 7638; RFC 8037, section 2): the hash of its required members in alphabetical order.
func thumbprint(public jwkset.JWKMarshal) (string, error) {
	text, err := json.Marshal(struct {
		CRV jwkset.CRV `json:"crv"`
		KTY jwkset.KTY `json:"kty"`
		X   string     `json:"x"`
		Y   string     `json:"y,omitempty"`
	}{public.CRV, public.KTY, public.X, public.Y})
	if err != nil {
		return "", fmt.Errorf("thumbprint: %w", err)
	}

	sum := sha256.Sum256(text)

	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

func encodeKeySet(keys []key) ([]byte, error) {
	var set jwkset.JWKSMarshal
	for _, k := range keys {
		set.Keys = append(set.Keys, k.public)
	}

	data, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("encode key set: %w", err)
	}

	return data, nil
}
