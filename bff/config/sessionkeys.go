package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// sessionKeyBytes is the length of a key.
const sessionKeyBytes = 32

// ParseSessionKeys returns the keys of a list in base64, the standard or the URL alphabet, with or without padding. The error says
// what is wrong with each of them. Keys must be random: one that is twice in the list, or has only zeros, is a mistake.
func ParseSessionKeys(list []string) ([][]byte, error) {
	var faults []string

	keys := make([][]byte, 0, len(list))

	for i, text := range list {
		key, fault := parseSessionKey(text)
		if first := slices.IndexFunc(keys, func(k []byte) bool { return string(k) == string(key) }); fault == "" && first >= 0 {
			fault = fmt.Sprintf("is the same as key %d", first+1)
		}

		if keys = append(keys, key); fault != "" {
			faults = append(faults, fmt.Sprintf("key %d %s", i+1, fault))
		}
	}

	switch {
	case len(keys) == 0:
		return nil, errors.New("has no key")
	case len(faults) > 0:
		return nil, errors.New(strings.Join(faults, "; "))
	default:
		return keys, nil
	}
}

// parseSessionKey returns a key, or what is wrong with it.
func parseSessionKey(text string) (key []byte, fault string) {
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(text), "="))

	key, err := base64.RawStdEncoding.Strict().DecodeString(plain)

	switch {
	case err != nil || len(key) != sessionKeyBytes:
		return nil, fmt.Sprintf("is not %d bytes in base64 (openssl rand -base64 %[1]d)", sessionKeyBytes)
	case string(key) == strings.Repeat("\x00", sessionKeyBytes):
		return nil, "has only zeros"
	default:
		return key, ""
	}
}
