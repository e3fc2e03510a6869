package auth

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"
)

// refusalLife is how long it is remembered that a token is not valid: long enough to make its repetition cheap.
const refusalLife = 5 * time.Second

// tokenCache remembers what came out of verifying a token. The key is the SHA-256 of the whole token, signature included. Good and
// bad tokens are kept apart, so that forgers do not push out the tokens of others. It is safe for concurrent use.
type tokenCache struct {
	good *lru.Cache[[sha256.Size]byte, verdict]
	bad  *lru.Cache[[sha256.Size]byte, verdict]
}

// verdict holds until its end, as long as the keys that it was found with are still the issuer's.
type verdict struct {
	verified   verified
	err        error
	until      time.Time
	issuer     *issuer // Nil: it did not depend on keys.
	generation uint64
}

func newTokenCache(size int) (*tokenCache, error) {
	const badShare = 10

	good, err := lru.New[[sha256.Size]byte, verdict](size)
	if err != nil {
		return nil, err
	}

	bad, err := lru.New[[sha256.Size]byte, verdict](size/badShare + 1)
	if err != nil {
		return nil, err
	}

	return &tokenCache{good: good, bad: bad}, nil
}

func cacheKey(token string) [sha256.Size]byte {
	const usual = 2 << 10 // Bytes. More cost an allocation.

	return sha256.Sum256(append(make([]byte, 0, usual), token...))
}

// find returns the verdict on a token if there is one that holds now.
func (c *tokenCache) find(key [sha256.Size]byte, now time.Time) (verdict, bool) {
	for _, cache := range [...]*lru.Cache[[sha256.Size]byte, verdict]{c.good, c.bad} {
		if v, ok := cache.Get(key); ok {
			if now.Before(v.until) && (v.issuer == nil || v.issuer.keys.generation.Load() == v.generation) {
				return v, true
			}

			cache.Remove(key)
		}
	}

	return verdict{}, false
}

// keep remembers a verdict, but not one that time or the next fetch may change.
func (c *tokenCache) keep(key [sha256.Size]byte, v verdict, now time.Time) {
	switch {
	case v.err == nil:
		c.good.Add(key, v)
	case errors.Is(v.err, errNoKeys), errors.Is(v.err, jwt.ErrTokenNotValidYet), errors.Is(v.err, jwt.ErrTokenUsedBeforeIssued):
	default:
		v.until = now.Add(refusalLife)
		c.bad.Add(key, v)
	}
}
