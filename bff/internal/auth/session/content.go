package session

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/auth/session/vault"
	"github.com/portico-gateway/portico/bff/internal/digest"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// content is what is stored of a session, sealed.
type content struct {
	// Issuer is the provider, Subject is whom it calls the user, SID is what it calls its session (empty: it does not say), and
	// Nonce is that of the login.
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	SID     string `json:"sid,omitempty"`
	Nonce   string `json:"nonce,omitempty"`
	// Principal is whom the tokens identify by the settings of this digest.
	Principal caller `json:"principal"`
	Settings  string `json:"settings,omitempty"`
	// Claims are those of the latest ID token, and Scopes those that were granted.
	Claims map[string]any `json:"claims,omitempty"`
	Scopes []string       `json:"scopes,omitempty"`
	// LoggedIn is when the session began.
	LoggedIn time.Time `json:"at"`

	Access string `json:"access"`
	// AccessFrom is when the access token was issued, and AccessUntil when it expires. The zero time: that is unknown.
	AccessFrom  time.Time `json:"from"`
	AccessUntil time.Time `json:"until,omitzero"`
	Refresh     string    `json:"refresh,omitempty"`
	// ID is the latest ID token that nobody takes for an access token. By it the provider knows the session at a logout.
	ID string `json:"id,omitempty"`
}

// caller is a reqinfo.Principal. Gateways of other versions read it, so its names stay.
type caller struct {
	Subject string   `json:"subject"`
	Issuer  string   `json:"issuer"`
	Scopes  []string `json:"scopes,omitempty"`
	Roles   []string `json:"roles,omitempty"`
	Tenant  string   `json:"tenant,omitempty"`
}

// active is a session that was loaded.
type active struct {
	content
	Stored

	key string
}

var errNobody = errors.New("decode session: it has no subject")

// sealedSession is the purpose of what is sealed for the session with a key.
func sealedSession(key string) string { return "session " + key }

func (c content) seal(v *vault.Vault, key string) ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode session: %w", err)
	}

	return v.Seal(text, sealedSession(key)), nil
}

func (a *active) open(v *vault.Vault) error {
	text, err := v.Open(a.Data, sealedSession(a.key))
	if err != nil {
		return err
	}

	if err := json.Unmarshal(text, &a.content); err != nil {
		return fmt.Errorf("decode session: %w", err)
	}

	// Nobody is anonymous in a session.
	if a.Subject == "" || a.Principal.Subject == "" {
		return errNobody
	}

	return nil
}

// refreshAt is when a new access token is asked for, so long before the end of the old one. Half of the life of a short-lived one
// passes first: it would be replaced at every request otherwise.
func (c content) refreshAt(ahead time.Duration) time.Time {
	return c.AccessUntil.Add(-min(ahead, c.AccessUntil.Sub(c.AccessFrom)/2))
}

// authorization is the header that the access token makes, unless it has expired.
func (c content) authorization(now time.Time) string {
	if c.Access == "" || !c.AccessUntil.IsZero() && !now.Before(c.AccessUntil) {
		return ""
	}

	return "Bearer " + c.Access
}

// with returns the content with what the provider has issued. Tokens that it has not issued again stay.
func (c content) with(tokens provider.Tokens, principal reqinfo.Principal, until time.Time) content {
	c.Principal, c.Access, c.AccessFrom, c.AccessUntil = caller(principal), tokens.Access, time.Now(), tokens.AccessUntil

	if !until.IsZero() && (c.AccessUntil.IsZero() || until.Before(c.AccessUntil)) {
		c.AccessUntil = until
	}

	if tokens.Refresh != "" {
		c.Refresh = tokens.Refresh
	}

	if tokens.Scopes != nil {
		c.Scopes = tokens.Scopes
	}

	if tokens.ID != "" {
		c.Claims = tokens.Claims
	}

	if tokens.IsMarked() {
		c.ID = tokens.ID
	}

	return c
}

// continues reports whether a refreshed ID token is of the login that the session began with (OpenID Connect Core 1.0, section
// 12.2). Its auth_time may be another one: the user may have logged in again at the provider, for another client.
func (c content) continues(tokens provider.Tokens) bool {
	return tokens.ID == "" || tokens.Subject() == c.Subject && (tokens.Nonce() == "" || tokens.Nonce() == c.Nonce)
}

// sharesLogin reports whether the tokens of a later login may be of the same session of the provider. Some providers revoke the
// tokens of a whole session at once.
func (c content) sharesLogin(tokens provider.Tokens) bool {
	return tokens.Subject() == c.Subject && tokens.SessionID() == c.SID
}

// profile returns the claims that a page may show (OpenID Connect Core 1.0, section 5.1).
func profile(claims map[string]any) map[string]any {
	out := map[string]any{}

	for _, name := range []string{
		"name", "given_name", "family_name", "nickname", "preferred_username", "picture", "email", "email_verified", "locale",
		"zoneinfo",
	} {
		if value, ok := claims[name]; ok {
			out[name] = value
		}
	}

	return out
}

// secretBytes is the length of ids and other secrets: nobody guesses one (RFC 6749, section 10.10).
const secretBytes = 32

// newSecret returns a random text of 43 characters.
func newSecret() string {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // It never fails.

	return base64.RawURLEncoding.EncodeToString(secret)
}

// isSecret reports whether a text may be one that newSecret has made.
func isSecret(text string) bool {
	secret, err := base64.RawURLEncoding.Strict().DecodeString(text)

	return err == nil && len(secret) == secretBytes
}

// keyOf is the key under which the session with an id is stored.
func keyOf(id string) string { return hash("session", id) }

// subjectLabel, principalLabel and sessionLabel are the labels of the sessions of whom the provider calls so, of whom the gateway
// calls so, and of a session of the provider.
func subjectLabel(issuer, subject string) string   { return hash("subject", issuer, subject) }
func principalLabel(issuer, subject string) string { return hash("principal", issuer, subject) }
func sessionLabel(issuer, sid string) string       { return hash("sid", issuer, sid) }

// labels are those of a session.
func (c content) labels() []string {
	list := []string{subjectLabel(c.Issuer, c.Subject), principalLabel(c.Issuer, c.Principal.Subject)}
	if c.SID != "" {
		list = append(list, sessionLabel(c.Issuer, c.SID))
	}

	return list
}

func hash(parts ...string) string { return digest.Buffer{}.List(parts).Hash() }
