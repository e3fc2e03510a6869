package cache

import (
	"context"
	"sync"
)

type tagsKey struct{}

// collectedTags are the tags of a response, collected while it is fetched.
type collectedTags struct {
	mu         sync.Mutex
	known      bool
	incomplete bool
	tags       []string
}

// Tag adds the tags of a response while it is fetched, with the context of the fetch; outside of a fetch it does nothing. If they
// are not complete, because a tag had no value, the response is not stored, as nothing could make it obsolete.
func Tag(ctx context.Context, tags []string, complete bool) {
	n, ok := ctx.Value(tagsKey{}).(*collectedTags)
	if !ok {
		return
	}

	n.mu.Lock()
	defer n.mu.Unlock()

	n.known = true
	n.incomplete = n.incomplete || !complete
	n.tags = append(n.tags, tags...)
}

// complete returns the tags, if all are known.
func (c *collectedTags) complete() ([]string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.tags, c.known && !c.incomplete
}
