// Package identity signs tokens that backends can verify instead of trusting the network: a short-lived one about the caller, for
// one backend (RFC 7519). It publishes the keys for that (RFC 7517).
//
// It does not authenticate callers, and its tokens are not for clients.
package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/digest"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const (
	// maxCached tokens are some 10 MB.
	maxCached = 10_000
	// maxKeysAge bounds how long a backend may cache the keys, and so how long a new key must be published before it signs.
	maxKeysAge = time.Minute
)

// Path is where backends find the keys.
const Path = "/.well-known/jwks.json"

// Signer signs tokens. It is safe for concurrent use.
type Signer struct {
	issuer   string
	lifetime time.Duration
	current  atomic.Pointer[keys]
	// watcher is nil if there is no file.
	watcher *filewatch.Watcher
}

// keys are those at one time, with the tokens that the first of them has signed.
type keys struct {
	key    key
	keySet []byte
	tokens *lru.Cache[string, token]
}

type token struct {
	signed string
	renew  time.Time
}

// Open reads the keys. Without a file it generates an Ed25519 key, which no other gateway has.
func Open(cfg config.InternalToken) (*Signer, error) {
	s := &Signer{issuer: cfg.Issuer, lifetime: cfg.Lifetime}

	if cfg.KeyFile == "" {
		made, err := generateKey()
		if err == nil {
			err = s.use([]key{made})
		}

		if err != nil {
			return nil, fmt.Errorf("internal token: %w", err)
		}

		return s, nil
	}

	var err error

	s.watcher, err = filewatch.Open(func(texts [][]byte) error {
		parsed, err := parseKeys(texts[0])
		if err != nil {
			return fmt.Errorf("read keys of %s: %w", cfg.KeyFile, err)
		}

		return s.use(parsed)
	}, cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("internal token: %w", err)
	}

	return s, nil
}

// Watch reads the file again when it has changed, until ctx ends; without a file it returns at once. While the file is faulty, the
// previous keys stay in use.
func (s *Signer) Watch(ctx context.Context, config filewatch.Config) {
	if s.watcher != nil {
		s.watcher.Run(ctx, config)
	}
}

// use signs with the first of the keys and publishes all.
func (s *Signer) use(all []key) error {
	set, err := encodeKeySet(all)
	if err != nil {
		return err
	}

	tokens, err := lru.New[string, token](maxCached)
	if err != nil {
		return fmt.Errorf("make the cache of tokens: %w", err)
	}

	s.current.Store(&keys{key: all[0], keySet: set, tokens: tokens})

	return nil
}

// For returns a function that makes tokens about callers for one audience. It is safe for concurrent use and does not block. A
// token is reused for the same caller until half of its lifetime is over. An anonymous caller is an error.
func (s *Signer) For(audience string) func(reqinfo.Principal) (string, error) {
	return func(p reqinfo.Principal) (string, error) {
		if p.Anonymous() {
			return "", errors.New("internal token: the caller is anonymous")
		}

		current, now, id := s.current.Load(), time.Now(), cacheKey(audience, p)
		if known, ok := current.tokens.Get(id); ok && now.Before(known.renew) {
			return known.signed, nil
		}

		signed, err := s.sign(current.key, audience, p, now)
		if err != nil {
			return "", fmt.Errorf("internal token: %w", err)
		}

		// Two concurrent calls may both have signed; either token is good.
		current.tokens.Add(id, token{signed: signed, renew: now.Add(s.lifetime / 2)})

		return signed, nil
	}
}

func (s *Signer) sign(by key, audience string, p reqinfo.Principal, now time.Time) (string, error) {
	claims := jwt.MapClaims{
		"iss": s.issuer, "aud": audience, "sub": p.Subject, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(s.lifetime).Unix(),
	}

	for name, value := range map[string]string{"scope": strings.Join(p.Scopes, " "), "tenant": p.Tenant, "idp": p.Issuer} {
		if value != "" {
			claims[name] = value
		}
	}

	if len(p.Roles) > 0 {
		claims["roles"] = p.Roles
	}

	unsigned := jwt.NewWithClaims(by.method, claims)
	unsigned.Header["kid"] = by.public.KID

	signed, err := unsigned.SignedString(by.private)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}

	return signed, nil
}

func cacheKey(audience string, p reqinfo.Principal) string {
	const inlineCapacity = 256 // Bytes. More cost an allocation.

	return string(make(digest.Buffer, 0, inlineCapacity).
		Texts(audience, p.Subject, p.Issuer, p.Tenant).List(p.Scopes).List(p.Roles))
}

// Handler serves the public keys, as a JSON Web Key Set (RFC 7517, section 8.5.2 for the media type).
func (s *Signer) Handler() http.Handler {
	age := min(s.lifetime/2, maxKeysAge)
	cacheControl := "max-age=" + strconv.Itoa(int(age.Seconds()))

	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", cacheControl)
		// The backend may be gone.
		_, _ = w.Write(s.current.Load().keySet)
	})
}
