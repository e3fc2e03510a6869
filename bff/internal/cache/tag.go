package cache

import (
	"context"
	"sync"
)

type tagsKey struct{}

// collectedTags are the tags of a response, collected while it is fetched.
type collectedTags struct {
	mu         sync.Mutex
	there      bool
	incomplete bool
	tags       []string
}

// Tag notes what the answer to a request is made of, once that is known. It is called while the answer is fetched, with its
// context; outside of a fetch it does nothing. If it is not complete, because a tag had no value, the answer is not kept, for
// nobody could make it obsolete.
func Tag(ctx context.Context, tags []string, complete bool) {
	n, ok := ctx.Value(tagsKey{}).(*collectedTags)
	if !ok {
		return
	}

	n.mu.Lock()
	defer n.mu.Unlock()

	n.there = true
	n.incomplete = n.incomplete || !complete
	n.tags = append(n.tags, tags...)
}

// complete returns the tags, if all are known.
func (c *collectedTags) complete() ([]string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.tags, c.there && !c.incomplete
}
