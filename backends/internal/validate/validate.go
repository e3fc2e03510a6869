// Package validate has the checks that several services share: identifiers, bounded texts, bounded maps. Each notes what it
// finds in a collection of violations.
//
// What only one service knows (an e-mail address, a line item) is checked there.
package validate

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/portico-gateway/portico/backends/internal/fault"
)

// Bounds of the free pairs that clients attach to things (labels, attributes, preferences).
const (
	maxPairs     = 64
	maxKeyRunes  = 64
	maxPairRunes = 512
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)

// ID wants an identifier: letters, digits, "-", "_" and ".", 1 to 63 of them.
func ID(v *fault.Violations, field, id string) {
	if !idPattern.MatchString(id) {
		v.Addf(field, `must be 1 to 63 letters, digits, "-", "_" or "."`)
	}
}

// Required wants a text that is not blank and has at most limit characters.
func Required(v *fault.Violations, field, text string, limit int) {
	if strings.TrimSpace(text) == "" {
		v.Addf(field, "must not be empty")

		return
	}

	Text(v, field, text, limit)
}

// Text wants at most limit characters.
func Text(v *fault.Violations, field, text string, limit int) {
	if utf8.RuneCountInString(text) > limit {
		v.Addf(field, "must have at most %d characters", limit)
	}
}

// Pairs wants at most 64 pairs with keys of 1 to 64 and values of at most 512 characters.
func Pairs(v *fault.Violations, field string, pairs map[string]string) {
	if len(pairs) > maxPairs {
		v.Addf(field, "must have at most %d entries", maxPairs)

		return
	}

	for key, value := range pairs {
		if key == "" || utf8.RuneCountInString(key) > maxKeyRunes {
			v.Addf(field, "must have keys of 1 to %d characters", maxKeyRunes)

			return
		}

		if utf8.RuneCountInString(value) > maxPairRunes {
			v.Addf(field, "must have values of at most %d characters", maxPairRunes)

			return
		}
	}
}
