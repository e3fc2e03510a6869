package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// notOneOf says that a text is none of those that are valid, and which was probably meant.
func notOneOf(value string, valid []string) string {
	return fmt.Sprintf("%q is not one of %s%s", value, strings.Join(valid, ", "), didYouMean(value, valid))
}

// didYouMean is hint.DidYouMean, which also knows longer and shorter forms ("warning"), and words that turn things off.
func didYouMean(value string, valid []string) string {
	plain := strings.ToLower(value)

	if slices.Contains(valid, offValue) && turnsOff(plain) {
		plain = offValue
	}

	for _, one := range valid {
		form := strings.ToLower(one)
		if form != "" && plain != "" && (strings.HasPrefix(plain, form) || strings.HasPrefix(form, plain)) {
			return fmt.Sprintf("; did you mean %q?", one)
		}
	}

	return hint.DidYouMean(value, valid)
}

// offValue is the text that turns off what has several modes.
const offValue = "off"

// turnsOff reports whether a text in lower case is one that turns things off elsewhere.
func turnsOff(plain string) bool {
	return slices.Contains([]string{offValue, "false", "no", "none", "never", "disabled", "disable", "null", "0"}, plain)
}
