package auth

import (
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"
)

// refusalLife is how long it is cached that a token is not valid: long enough to make its repetition cheap.
const refusalLife = 5 * time.Second

// tokenCache caches the results of verifying tokens. The key is the complete token, with its signature: the runtime hashes and
// compares it in a small part of the time that a cryptographic hash takes. Good and bad tokens have separate caches, so that
// forgers do not evict the tokens of others. It is safe for concurrent use.
type tokenCache struct {
	good, bad *lru.Cache[string, verification]
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

	good, err := lru.New[string, verification](size)
	if err != nil {
		return nil, err
	}

	bad, err := lru.New[string, verification](size/badShare + 1)
	if err != nil {
		return nil, err
	}

	return &tokenCache{good: good, bad: bad}, nil
}

func (c *tokenCache) find(token string, now time.Time) (verification, bool) {
	for _, cache := range [...]*lru.Cache[string, verification]{c.good, c.bad} {
		if v, ok := cache.Get(token); ok {
			if now.Before(v.until) && (v.issuer == nil || v.issuer.keys.generation.Load() == v.generation) {
				return v, true
			}

			cache.Remove(token)
		}
	}

	return verification{}, false
}

// add adds a result, unless time or the next fetch may change it.
func (c *tokenCache) add(token string, v verification, now time.Time) {
	switch {
	case v.err == nil:
		// A copy, because the text may be part of a larger one.
		c.good.Add(strings.Clone(token), v)
	case errors.Is(v.err, errNoKeys), errors.Is(v.err, jwt.ErrTokenNotValidYet), errors.Is(v.err, jwt.ErrTokenUsedBeforeIssued):
	default:
		v.until = now.Add(refusalLife)
		c.bad.Add(strings.Clone(token), v)
	}
}
