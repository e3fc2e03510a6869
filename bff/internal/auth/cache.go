package auth

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"
)

// refusalLife is how long it is cached that a token is not valid: long enough to make its repetition cheap.
const refusalLife = 5 * time.Second

// tokenCache caches the results of verifying tokens. The key is the SHA-256 of the complete token, with its signature. Good and bad
// tokens have separate caches, so that forgers do not evict the tokens of others. It is safe for concurrent use.
type tokenCache struct {
	good *lru.Cache[[sha256.Size]byte, verification]
	bad  *lru.Cache[[sha256.Size]byte, verification]
}

// verification is the result of verifying a token. It is valid until its end, while the issuer has the same keys.
type verification struct {
	verified   verified
	err        error
	until      time.Time
	issuer     *issuer // Nil: it does not depend on keys.
	generation uint64
}

func newTokenCache(size int) (*tokenCache, error) {
	const badShare = 10

	good, err := lru.New[[sha256.Size]byte, verification](size)
	if err != nil {
		return nil, err
	}

	bad, err := lru.New[[sha256.Size]byte, verification](size/badShare + 1)
	if err != nil {
		return nil, err
	}

	return &tokenCache{good: good, bad: bad}, nil
}

func cacheKey(token string) [sha256.Size]byte {
	const inlineCapacity = 2 << 10 // Bytes. More cost an allocation.

	return sha256.Sum256(append(make([]byte, 0, inlineCapacity), token...))
}

func (c *tokenCache) find(key [sha256.Size]byte, now time.Time) (verification, bool) {
	for _, cache := range [...]*lru.Cache[[sha256.Size]byte, verification]{c.good, c.bad} {
		if v, ok := cache.Get(key); ok {
			if now.Before(v.until) && (v.issuer == nil || v.issuer.keys.generation.Load() == v.generation) {
				return v, true
			}

			cache.Remove(key)
		}
	}

	return verification{}, false
}

// add adds a result, unless time or the next fetch may change it.
func (c *tokenCache) add(key [sha256.Size]byte, v verification, now time.Time) {
	switch {
	case v.err == nil:
		c.good.Add(key, v)
	case errors.Is(v.err, errNoKeys), errors.Is(v.err, jwt.ErrTokenNotValidYet), errors.Is(v.err, jwt.ErrTokenUsedBeforeIssued):
	default:
		v.until = now.Add(refusalLife)
		c.bad.Add(key, v)
	}
}
