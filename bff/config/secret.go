package config

import (
	"net/url"
	"strings"
)

// The values of the tag secret.
const (
	// secretURL is for a URL that may hold a password.
	secretURL = "url"
)

// redacted is put in place of secrets.
const redacted = "xxxxx"

// redact returns a text without the secret in it, by the tag secret of its field.
func redact(text, secret string) string {
	if text == "" {
		return ""
	}

	u, err := url.Parse(text)
	if secret != secretURL || err != nil {
		return redacted
	}

	query := u.Query()
	for name := range query {
		if holdsSecret(name) {
			query.Set(name, redacted)
		}
	}

	if len(query) > 0 {
		u.RawQuery = query.Encode()
	}

	return u.Redacted()
}

// holdsSecret reports whether a parameter of a URL holds a secret, by its name.
func holdsSecret(name string) bool {
	for _, word := range [...]string{"password", "secret", "token", "key"} {
		if strings.Contains(strings.ToLower(name), word) {
			return true
		}
	}

	return false
}
