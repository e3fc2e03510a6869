// Package vault seals what is stored about sessions, so that whoever reads the store learns nothing, and whoever writes to it can
// forge nothing: with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), whose nonces may be random, under keys that can be rotated.
package vault

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// keyIDLength is that of the part of a key's hash by which the key of a sealed text is found.
const keyIDLength = 4

// errSealed says no more, since what is wrong is for nobody to know.
var errSealed = errors.New("not sealed by any of the keys, or for something else")

// Vault seals and opens. It is immutable and safe for concurrent use.
type Vault struct {
	keys []sealingKey
}

type sealingKey struct {
	id   [keyIDLength]byte
	aead cipher.AEAD
}

// New returns a vault that seals with the first of the keys and opens what any of them has sealed. Each has 32 bytes.
func New(keys [][]byte) (*Vault, error) {
	v := &Vault{}

	for _, key := range keys {
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			return nil, fmt.Errorf("session key: %w", err)
		}

		hash := sha256.Sum256(key)
		v.keys = append(v.keys, sealingKey{id: [keyIDLength]byte(hash[:]), aead: aead})
	}

	if len(v.keys) == 0 {
		return nil, errors.New("session keys: there is none")
	}

	return v, nil
}

// Random returns a vault with a key that nobody else has.
func Random() (*Vault, error) {
	key := make([]byte, chacha20poly1305.KeySize)
	_, _ = rand.Read(key) // It never fails.

	return New([][]byte{key})
}

// Seal seals a text for a purpose, which whoever opens it must name: the sealed text of one session is not that of another.
func (v *Vault) Seal(plain []byte, purpose string) []byte {
	first := v.keys[0]
	out := make([]byte, keyIDLength+first.aead.NonceSize(), keyIDLength+first.aead.NonceSize()+len(plain)+first.aead.Overhead())
	copy(out, first.id[:])

	nonce := out[keyIDLength:]
	_, _ = rand.Read(nonce) // It never fails.

	return first.aead.Seal(out, nonce, plain, []byte(purpose))
}

// Open returns what was sealed for the purpose.
func (v *Vault) Open(sealed []byte, purpose string) ([]byte, error) {
	for _, key := range v.keys {
		head := keyIDLength + key.aead.NonceSize()
		if len(sealed) < head || [keyIDLength]byte(sealed) != key.id {
			continue
		}

		if plain, err := key.aead.Open(nil, sealed[keyIDLength:head], sealed[head:], []byte(purpose)); err == nil {
			return plain, nil
		}
	}

	return nil, errSealed
}
