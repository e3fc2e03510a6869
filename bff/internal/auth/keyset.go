package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/MicahParks/jwkset"

	"github.com/portico-gateway/portico/bff/internal/filewatch"
)

// Bounds on keys. Shorter RSA keys, in bits, are weak (RFC 7518, section 3.3); longer ones take long to verify with.
const (
	minRSABits = 2048
	maxRSABits = 8192
	// minRSAExponent is the smallest valid exponent.
	minRSAExponent = 3
	// maxKeys is far more than any issuer publishes.
	maxKeys = 1000
)

var (
	errNotPublic = errors.New("the set has a private or symmetric key")
	errUnusable  = errors.New("key cannot be used to verify signatures")
	errNoUsable  = errors.New("the set has no usable key")
	errManyKeys  = errors.New("the set has more than 1000 keys")
	errNoKey     = errors.New("not exactly one key matches the token")
)

// The algorithms that tokens may be signed with (RFC 7518, section 3.1, and RFC 8037). All of them are asymmetric.
const (
	algRS256 = "RS256"
	algPS256 = "PS256"
	algES256 = "ES256"
	algES384 = "ES384"
	algEdDSA = "EdDSA"
	// algEd25519 is the name that RFC 9864 gives to EdDSA on this curve. Key sets begin to use it.
	algEd25519 = "Ed25519"
)

// verifyKey is a public key and the algorithms it may be used with.
type verifyKey struct {
	id     string
	public crypto.PublicKey
	algs   []string
}

// keySet is an issuer's keys. It is never changed.
type keySet []verifyKey

func (s keySet) equal(other keySet) bool {
	return slices.EqualFunc(s, other, func(a, b verifyKey) bool {
		public, ok := a.public.(interface{ Equal(x crypto.PublicKey) bool })
		return ok && a.id == b.id && slices.Equal(a.algs, b.algs) && public.Equal(b.public)
	})
}

func (s keySet) has(kid string) bool {
	return slices.ContainsFunc(s, func(k verifyKey) bool { return k.id == kid })
}

// choose returns the one key with this id for the algorithm. Without an id there must be only one.
func (s keySet) choose(kid, alg string) (crypto.PublicKey, error) {
	var matching []crypto.PublicKey

	for _, k := range s {
		if (kid == "" || k.id == kid) && slices.Contains(k.algs, alg) {
			matching = append(matching, k.public)
		}
	}

	if len(matching) != 1 {
		return nil, fmt.Errorf("%w: %d for kid %.100q and alg %s", errNoKey, len(matching), kid, alg)
	}

	return matching[0], nil
}

// fromFile returns the keys in a file, which is read now, and a function that reads it again.
func fromFile(file string, config filewatch.Config) (keySet, fetchFunc, error) {
	var set keySet

	watcher, err := filewatch.Open(func(texts [][]byte) error {
		parsed, err := parseKeys(texts[0])
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}

		set = parsed

		return nil
	}, file)
	if err != nil {
		return nil, nil, fmt.Errorf("issuer keys: %w", err)
	}

	watcher.Begin(config)

	return set, func(ctx context.Context) (keySet, time.Duration, error) {
		err := watcher.Poll(ctx, config)
		return set, 0, err
	}, nil
}

// parseKeys parses a JSON Web Key Set. It skips unusable keys if there are others, as RFC 7517, section 5, requires. It refuses a
// set with a private or symmetric key, which was published by mistake.
func parseKeys(data []byte) (keySet, error) {
	var doc jwkset.JWKSMarshal
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("parse key set: %w", err)
	}

	if len(doc.Keys) > maxKeys {
		return nil, errManyKeys
	}

	var (
		set    keySet
		faults = []error{errNoUsable}
	)

	for i, jwk := range doc.Keys {
		if jwk.KTY == jwkset.KtyOct || jwk.K+jwk.D+jwk.P+jwk.Q+jwk.DP+jwk.DQ+jwk.QI != "" || len(jwk.OTH) > 0 {
			return nil, fmt.Errorf("key %d (%.100q): %w", i, jwk.KID, errNotPublic)
		}

		key, err := parseKey(jwk)
		if err != nil {
			faults = append(faults, fmt.Errorf("key %d (%.100q): %w", i, jwk.KID, err))
			continue
		}

		set = append(set, key)
	}

	if len(set) == 0 {
		return nil, errors.Join(faults...)
	}

	return set, nil
}

func parseKey(doc jwkset.JWKMarshal) (verifyKey, error) {
	if doc.USE != "" && doc.USE != jwkset.UseSig {
		return verifyKey{}, fmt.Errorf("%w: use is %.100q", errUnusable, doc.USE)
	}

	if len(doc.KEYOPS) > 0 && !slices.Contains(doc.KEYOPS, jwkset.KeyOpsVerify) {
		return verifyKey{}, fmt.Errorf("%w: key_ops is %.100q", errUnusable, doc.KEYOPS)
	}

	// Certificates add nothing to the key, and a URL of one would be fetched.
	doc.X5U, doc.X5C, doc.X5T, doc.X5TS256 = "", nil, "", ""

	jwk, err := jwkset.NewJWKFromMarshal(doc, jwkset.JWKMarshalOptions{Private: false}, jwkset.JWKValidateOptions{})
	if err != nil {
		return verifyKey{}, fmt.Errorf("parse key: %w", err)
	}

	algs := algorithmsOf(jwk.Key())
	if stated := string(doc.ALG); stated != "" {
		algs = slices.DeleteFunc(algs, func(alg string) bool {
			return alg != stated && (alg != algEdDSA || stated != algEd25519)
		})
	}

	if len(algs) == 0 {
		return verifyKey{}, fmt.Errorf("%w: a %T with alg %.100q", errUnusable, jwk.Key(), doc.ALG)
	}

	return verifyKey{id: doc.KID, public: jwk.Key(), algs: algs}, nil
}

func algorithmsOf(key any) []string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits >= minRSABits && bits <= maxRSABits && key.E >= minRSAExponent && key.E%2 == 1 {
			return []string{algRS256, algPS256}
		}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return []string{algES256}
		case elliptic.P384():
			return []string{algES384}
		}
	case ed25519.PublicKey:
		return []string{algEdDSA}
	}

	return nil
}
