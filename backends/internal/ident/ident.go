// Package ident makes identifiers: a short prefix that says what they name, and 26 characters that sort by the time of their making
// and cannot be guessed (the layout of a ULID, in lower case).
//
// It is not for secrets, and nothing may depend on reading the time back out.
package ident

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// alphabet is Crockford's base 32 in lower case: its order is the order of the values, so that ids sort as strings.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// New makes an identifier like "ord_01jz3v0m8x7r4c2k9d5w6t1b3e".
func New(prefix string) string {
	return prefix + "_" + Random()
}

// Random makes the 26 characters alone: 48 bits of Unix milliseconds and 80 bits of chance.
func Random() string {
	const randomBits = 16 // Of the first eight bytes; the others are all random.

	var raw [16]byte

	binary.BigEndian.PutUint64(raw[:8], uint64(time.Now().UnixMilli())<<randomBits)
	_, _ = rand.Read(raw[6:]) // Never fails: crypto/rand documents that it ends the program instead.

	return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).EncodeToString(raw[:])
}
