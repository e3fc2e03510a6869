package cache

import (
	"net/http"
	"time"
)

var CanonicalQuery = canonicalQuery

// ParseControl is what a client wants; maxAge is -1 if it does not limit it.
func ParseControl(header http.Header) (noCache, noStore, onlyIfCached bool, maxAge time.Duration) {
	c := parseControl(header)
	if !c.limited {
		c.maxAge = -1
	}

	return c.noCache, c.noStore, c.onlyIfCached, c.maxAge
}
