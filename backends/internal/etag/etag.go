// Package etag makes and compares the entity tags of resources (AIP-154; RFC 9110, section 8.8.3), so that a client can change what
// it has seen and nothing else.
package etag

import (
	"strconv"
	"strings"

	"github.com/portico-gateway/portico/backends/internal/fault"
)

// Of returns the tag of a revision, a number that every change of the resource makes larger.
func Of(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

// Check is ABORTED unless the current tag is among those that the client expects: one tag, or the value of an If-Match field
// (RFC 9110, section 13.1.1), which is a list of tags, or "*" for any. An empty text expects nothing.
func Check(expected, current string) error {
	if expected == "" || expected == "*" {
		return nil
	}

	for tag := range strings.SplitSeq(expected, ",") {
		if strings.TrimSpace(tag) == current {
			return nil
		}
	}

	return fault.Aborted("the resource has changed: its etag is %s", current)
}
