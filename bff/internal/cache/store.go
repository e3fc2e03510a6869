package cache

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"
)

// Store keeps answers. Several gateways may share one. Its methods are safe for concurrent use and may block; they end with the
// context. An error means that nothing is known.
//
// A store orders events by its own count: what began before a tag was invalidated is made of what was there before. It
// may forget an entry at any time, but never that a tag was invalidated as long as there is an entry to which that matters.
type Store interface {
	// Lookup returns the present moment and, if there is one, the entry of the key. It returns none of which a tag was invalidated
	// after the fetch of it began.
	Lookup(ctx context.Context, key Key) (Found, error)
	// Put keeps an entry, which is not to be changed any more, for the time of life. begun is when the fetch of it began. It is not
	// kept, which is no error, if one of its tags was invalidated since, or if there is no room.
	Put(ctx context.Context, key Key, entry *Entry, begun Mark, life time.Duration) (kept bool, err error)
	// Changed reports whether one of the tags was invalidated since the moment; without tags, whether any was.
	Changed(ctx context.Context, tags []string, since Mark) (bool, error)
	// Invalidate makes the entries obsolete that bear one of the tags, and those whose fetch has begun. An error means that others
	// who share the store may not know yet; the store goes on to tell them, and itself gives out no such entry any more.
	Invalidate(ctx context.Context, tags []string) error
}

// Key names a request, as a hash of all that its answer may depend on.
type Key [sha256.Size]byte

// Mark is a moment. Only the store that gave it out can tell what it means.
type Mark struct {
	// Count is how many invalidations there were before.
	Count int64
	// Time is the time by the store's clock.
	Time int64
}

// Found is what a store knows about a key.
type Found struct {
	// Entry is nil if there is none. It is not to be changed.
	Entry *Entry
	// Age is how long ago the fetch of it began.
	Age time.Duration
	// Now is the present moment, at which a fetch may begin.
	Now Mark
}

// Entry is an answer that is kept. Its status is 200.
type Entry struct {
	Header http.Header
	Body   []byte
	// Tags name what it is made of.
	Tags []string
}
