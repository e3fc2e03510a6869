// Package apikey has the API keys of machine clients: secrets that identify a principal, whose hashes are in a file.
//
// It does not know requests or headers; package auth does.
package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// A key is "ptk_", its id, "_" and its secret, the last two in base32 (RFC 4648). The id is public and finds the key in the file;
// the prefix lets scanners for leaked secrets find keys.
const (
	prefix    = "ptk_"
	idLen     = 12
	secretLen = 52 // 260 bits.
	keyLen    = len(prefix) + idLen + 1 + secretLen
)

// Why a key is refused. No error contains a key.
var (
	errForm    = errors.New("not in the format of an API key")
	errUnknown = errors.New("API key is not known")
	errExpired = errors.New("API key has expired")
)

// New makes a key. The id is the part of it that may be shown.
func New() (key, id string) {
	// Each text has 26 characters of 5 bits.
	id = rand.Text()[:idLen]
	return prefix + id + "_" + rand.Text() + rand.Text(), id
}

// Hash is what is stored of a key: the SHA-256 of its text, in hexadecimal. A slow hash would add nothing, as nobody can guess 260
// random bits.
func Hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Lookup returns the caller that a key identifies. It does the same for an unknown key as for one whose secret is wrong.
func (s *Store) Lookup(key string, now time.Time) (reqinfo.Principal, error) {
	id, ok := ID(key)
	if !ok {
		return reqinfo.Principal{}, errForm
	}

	found, known := (*s.entries.Load())[id]
	sum := sha256.Sum256([]byte(key))

	// Without an entry it compares with zeros, which no key hashes to.
	if subtle.ConstantTimeCompare(sum[:], found.sum[:]) != 1 || !known {
		return reqinfo.Principal{}, fmt.Errorf("%w: id %s", errUnknown, id)
	}

	if !found.expires.IsZero() && !now.Before(found.expires) {
		return reqinfo.Principal{}, fmt.Errorf("%w: id %s, on %s", errExpired, id, found.expires.Format(time.RFC3339))
	}

	return found.principal, nil
}

// ID returns the id in a text in the format of a key, whether or not there is such a key.
func ID(key string) (string, bool) {
	if len(key) != keyLen || !strings.HasPrefix(key, prefix) {
		return "", false
	}

	id, secret, ok := strings.Cut(key[len(prefix):], "_")

	return id, ok && isID(id) && base32(secret)
}

func isID(text string) bool { return len(text) == idLen && base32(text) }

func base32(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return (c < 'A' || c > 'Z') && (c < '2' || c > '7') })
}
