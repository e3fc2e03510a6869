// Package page cuts lists into pages (AIP-158): it bounds page sizes and writes and reads the opaque tokens that lead from one page
// to the next.
//
// A token is not a secret and gives no rights: it only says where to go on. It belongs to the list and the filter that it was made
// for, so that a client cannot mix up two lists without being told.
package page

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"

	"github.com/portico-gateway/portico/backends/internal/fault"
)

// Layout of a token before base64: version, tag over filter and position, time, id.
const (
	version    = 1
	tagBytes   = 8
	timeBytes  = 8
	headBytes  = 1 + tagBytes + timeBytes
	tokenLimit = 256 // In characters; identifiers have at most 63.
)

// Position is the last item of a page: its time in microseconds and its id, which tells apart items of the same time.
type Position struct {
	Time int64
	ID   string
}

// Oldest is where a list begins that goes from old to new.
func Oldest() Position { return Position{} }

// Newest is where a list begins that goes from new to old.
func Newest() Position { return Position{Time: math.MaxInt64} }

// Size returns the number of items to return: the default for 0, else what was asked for, but not more than the limit (AIP-158).
func Size(asked, byDefault, limit int32) int {
	if asked <= 0 {
		return int(byDefault)
	}

	return int(min(asked, limit))
}

// Token leads to what comes after a position in the list that the filter describes. Parts of a filter must be given in the same
// order when the token is read.
func Token(after Position, filter ...string) string {
	raw := make([]byte, 0, headBytes+len(after.ID))
	raw = append(raw, version)
	raw = append(raw, tag(after, filter)...)
	raw = binary.BigEndian.AppendUint64(raw, uint64(after.Time))
	raw = append(raw, after.ID...)

	return base64.RawURLEncoding.EncodeToString(raw)
}

// Cut returns the first size items and the token that leads to the others, empty if there are none. The query should ask for one
// item more than size.
func Cut[T any](items []T, size int, position func(T) Position, filter ...string) (first []T, nextToken string) {
	if len(items) <= size {
		return items, ""
	}

	return items[:size], Token(position(items[size-1]), filter...)
}

// Read returns the position in a token, and start for the empty token, which means the first page. A token that was damaged or made
// for another list or filter is a violation of page_token.
func Read(token string, start Position, filter ...string) (Position, error) {
	if token == "" {
		return start, nil
	}

	after, ok := parse(token)
	// Writing it anew checks version, tag and spelling at once.
	if !ok || Token(after, filter...) != token {
		var v fault.Violations
		v.Addf("page_token", "must be the next_page_token of the same list")

		return Position{}, v.Err()
	}

	return after, nil
}

func parse(token string) (Position, bool) {
	if len(token) > tokenLimit {
		return Position{}, false
	}

	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) <= headBytes {
		return Position{}, false
	}

	return Position{
		Time: int64(binary.BigEndian.Uint64(raw[1+tagBytes : headBytes])),
		ID:   string(raw[headBytes:]),
	}, true
}

func tag(p Position, filter []string) []byte {
	text := binary.BigEndian.AppendUint64([]byte{version}, uint64(p.Time))
	text = append(text, p.ID...)
	text = append(text, 0)
	text = append(text, strings.Join(filter, "\x00")...)
	sum := sha256.Sum256(text)

	return sum[:tagBytes]
}
