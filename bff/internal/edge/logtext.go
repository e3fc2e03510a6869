package edge

import (
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// Texts of clients and backends must not fill the log.
const (
	maxMethod    = 32
	maxUserAgent = 200
	maxCause     = 8 << 10
)

// printable is a text of a client for the log: clipped, and without control characters.
func printable(text string, limit int) string {
	if len(text) <= limit && !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
		return text
	}

	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}

		return c
	}, problem.Clip(text, limit))
}

// milliseconds rounds to three decimals.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond).Microseconds()) / float64(time.Millisecond/time.Microsecond)
}

// logText is the text of an error in the log: for a panic in a branch, with the stack.
func logText(err error) string {
	text := err.Error()
	if panicked := (*composite.PanicError)(nil); errors.As(err, &panicked) {
		text += "\n" + string(panicked.Stack)
	}

	return problem.Clip(text, maxCause)
}
