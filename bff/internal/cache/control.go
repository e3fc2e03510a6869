package cache

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// noCache asks that a stored answer is not used unseen, in both directions.
const noCache = "no-cache"

// control is what a client wants of a cache (RFC 9111, section 5.2.1). Directives that a cache need not follow, and those that are
// not valid, are passed over.
type control struct {
	noCache, noStore, onlyIfCached bool
	// maxAge is how old an answer may be, if limited.
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

		for name := range directives(header["Pragma"]) {
			c.noCache = c.noCache || name == noCache
		}

		return c
	}

	for name, value := range directives(lines) {
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

// limit reads delta-seconds (RFC 9111, section 1.2.2): what is too large is very long. Of several, the smallest counts.
func (c *control) limit(text string) {
	const longest = 1 << 31 // The RFC's own.

	if text == "" || strings.Trim(text, "0123456789") != "" {
		return
	}

	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds > longest {
		seconds = longest
	}

	if age := time.Duration(seconds) * time.Second; !c.limited || age < c.maxAge {
		c.limited, c.maxAge = true, age
	}
}

// harmless drops the wishes that make work, of somebody whom nobody knows.
func (c *control) harmless() { c.noCache, c.noStore, c.limited = false, false, false }

// directives are those of Cache-Control, with names in lower case and values without quotes. No directive that counts here has a
// comma in its value.
func directives(lines []string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for _, line := range lines {
			for item := range strings.SplitSeq(line, ",") {
				name, value, _ := strings.Cut(item, "=")
				name = strings.ToLower(strings.Trim(name, " \t"))

				if name != "" && !yield(name, strings.Trim(strings.Trim(value, " \t"), `"`)) {
					return
				}
			}
		}
	}
}
