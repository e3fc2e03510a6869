// Package digest joins texts to keys, and hashes them, so that no two lists of texts give the same.
package digest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// Buffer is what was joined so far. Each text and each list has its length before it.
type Buffer []byte

// Int appends a number that is not negative.
func (b Buffer) Int(n int) Buffer { return binary.AppendUvarint(b, uint64(n)) }

// Texts appends texts, whose number is always the same.
func (b Buffer) Texts(texts ...string) Buffer {
	for _, text := range texts {
		b = append(b.Int(len(text)), text...)
	}

	return b
}

// List appends any number of texts.
func (b Buffer) List(texts []string) Buffer { return b.Int(len(texts)).Texts(texts...) }

// Hash is the SHA-256 of what was joined, in base64url.
func (b Buffer) Hash() string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
