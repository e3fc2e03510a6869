package cache

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"
)

// Store stores responses. Several gateways may share one. Its methods are safe for concurrent use and may block; they end with the
// context. An error means that nothing is known.
//
// A store orders events by its own count: a fetch that began before a tag was invalidated has seen the state before that. It may
// forget an entry at any time, but never that a tag was invalidated as long as there is an entry to which that matters.
type Store interface {
	// Lookup returns the current time and, if there is one, the entry of the key, unless one of its tags was invalidated after its
	// fetch began.
	Lookup(ctx context.Context, key Key) (Found, error)
	// Put stores an entry, which must not be changed any more, for the time of life. began is when its fetch began, as of a Lookup
	// of the key. It is not stored, which is no error, if one of its tags was invalidated since, or if there is no room.
	Put(ctx context.Context, key Key, entry *Entry, began Mark, life time.Duration) (stored bool, err error)
	// Changed reports whether one of the tags was invalidated since then; without tags, whether any was.
	Changed(ctx context.Context, tags []string, since Mark) (bool, error)
	// Invalidate makes entries with one of the tags obsolete, including those being fetched. An error means that other gateways may
	// not know yet; the store keeps trying to notify them, and itself returns no such entry any more.
	Invalidate(ctx context.Context, tags []string) error
}

// Key identifies a request, as a hash of all that its response may depend on.
type Key [sha256.Size]byte

// Mark is a time of a store, for the key that it was looked up with. It has no meaning to another store.
type Mark struct {
	// Part is the part of the store that the key is in, if the parts have counts of their own.
	Part int
	// Count is how many invalidations there were before it.
	Count int64
	// Time is by the store's clock.
	Time int64
}

// Found is what a store knows about a key.
type Found struct {
	// Entry is nil if there is none. It must not be changed.
	Entry *Entry
	// Age is how long ago its fetch began.
	Age time.Duration
	// Now is the current time, at which a fetch may begin.
	Now Mark
}

// Entry is a stored response. Its status is 200.
type Entry struct {
	Header http.Header
	Body   []byte
	// Tags name what it is made of.
	Tags []string
}
