package cache

import (
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// noCache asks that a stored response is revalidated, in both directions.
const noCache = "no-cache"

// control is what a client asks of a cache (RFC 9111, section 5.2.1). Directives that a cache need not follow, and invalid ones,
// are ignored.
type control struct {
	noCache, noStore, onlyIfCached bool
	// maxAge is how old a response may be, if limited.
	maxAge  time.Duration
	limited bool
}

// parseControl reads Cache-Control and, if there is none, Pragma (RFC 9111, section 5.4).
func parseControl(header http.Header) control {
	var c control

	lines := header["Cache-Control"]
	if len(lines) == 0 {
		if len(header["Pragma"]) == 0 {
			return c
		}

		for name := range httpfield.Directives(header["Pragma"]) {
			c.noCache = c.noCache || name == noCache
		}

		return c
	}

	for name, value := range httpfield.Directives(lines) {
		switch name {
		case noCache:
			c.noCache = true
		case "no-store":
			c.noStore = true
		case "only-if-cached":
			c.onlyIfCached = true
		case "max-age":
			c.limit(value)
		}
	}

	return c
}

// limit reads a number of seconds. Of several, the smallest counts.
func (c *control) limit(text string) {
	if age, ok := httpfield.DeltaSeconds(text); ok && (!c.limited || age < c.maxAge) {
		c.limited, c.maxAge = true, age
	}
}

// controlOf is what the client asks of the cache with its header.
func (s *sharing) controlOf(rec *reqinfo.Record, header http.Header) control {
	if s.policy.TTL == 0 {
		return control{}
	}

	c := parseControl(header)
	if !mayForce(rec, s.policy.Public) {
		c.noCache, c.noStore, c.limited = false, false, false
	}

	return c
}

// mayForce reports whether the caller can have a response fetched that is stored. A public one not without credentials: anyone
// could have any number of them fetched for all.
func mayForce(rec *reqinfo.Record, public bool) bool { return !public || !rec.Principal.Anonymous() }
