package devprovider

import (
	"crypto/rand"
	"maps"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// How long things are valid. RFC 6749, section 4.1.2, says at most ten minutes for codes.
const (
	loginLifetime   = 10 * time.Minute
	codeLifetime    = time.Minute
	sessionLifetime = 12 * time.Hour
	refreshLifetime = 12 * time.Hour
)

// state is what the provider knows beside its configuration.
type state struct {
	// logins are authorization requests whose user has not logged in yet, by the id of the login.
	logins *entries[*oidc.AuthRequest]
	// codes and refreshTokens are kept when they have been used, because a second use ends what the first one gave.
	codes         *entries[*code]
	refreshTokens *entries[*refreshToken]
	// sessions are those of browsers, by the value of the cookie.
	sessions *entries[*session]
	// sids are the same sessions, by the name that clients know.
	sids *entries[*session]
}

func newState() state {
	return state{
		logins: newEntries[*oidc.AuthRequest](loginLifetime), codes: newEntries[*code](codeLifetime),
		refreshTokens: newEntries[*refreshToken](refreshLifetime), sessions: newEntries[*session](sessionLifetime),
		sids: newEntries[*session](sessionLifetime),
	}
}

// session is a user who has logged in with a browser.
type session struct {
	user     user
	sid      string
	authTime time.Time

	ended atomic.Bool

	mu sync.Mutex
	// clients are the origins of clients that got tokens in it.
	clients map[string]bool
}

// joined remembers that a client got tokens.
func (s *session) joined(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.clients[client] = true
}

// joiners are the clients that got tokens, sorted.
func (s *session) joiners() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Sorted(maps.Keys(s.clients))
}

// grant is what a user gave a client: one code, and all tokens that follow from it.
type grant struct {
	session *session
	// client is the origin of its redirect URI.
	client string
	scopes []string
	ended  atomic.Bool
}

type code struct {
	grant   *grant
	request *oidc.AuthRequest
	used    atomic.Bool
}

type refreshToken struct {
	grant *grant
	used  atomic.Bool
}

// originOf is the origin of a URL that has been checked.
func originOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}

	return u.Scheme + "://" + u.Host
}

// maxEntries bounds the memory of each list. A developer never gets there.
const maxEntries = 10_000

// entries are values with a lifetime, by names that nobody can guess. They are safe for concurrent use.
type entries[V any] struct {
	lifetime time.Duration

	mu     sync.Mutex
	values map[string]entry[V]
}

type entry[V any] struct {
	value   V
	expires time.Time
}

func newEntries[V any](lifetime time.Duration) *entries[V] {
	return &entries[V]{lifetime: lifetime, values: map[string]entry[V]{}}
}

// add gives a value a name.
func (e *entries[V]) add(value V) string {
	name := rand.Text()
	e.put(name, value)

	return name
}

// put adds a value with a name, and removes those that have expired: if the list is still full, all.
func (e *entries[V]) put(name string, value V) {
	e.mu.Lock()
	defer e.mu.Unlock()

	now := time.Now()
	maps.DeleteFunc(e.values, func(_ string, old entry[V]) bool { return !now.Before(old.expires) })

	if len(e.values) >= maxEntries {
		clear(e.values)
	}

	e.values[name] = entry[V]{value: value, expires: now.Add(e.lifetime)}
}

func (e *entries[V]) get(name string) (value V, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()

	found, ok := e.values[name]
	if !ok || !time.Now().Before(found.expires) {
		return value, false
	}

	return found.value, true
}

// take is get for a value that can be used once.
func (e *entries[V]) take(name string) (value V, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()

	found, ok := e.values[name]
	delete(e.values, name)

	if !ok || !time.Now().Before(found.expires) {
		return value, false
	}

	return found.value, true
}
