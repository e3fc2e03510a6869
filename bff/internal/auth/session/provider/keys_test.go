package provider

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// refreshedBy returns the error of a refresh with an ID token of the key with a name.
func (i *issuer) refreshedBy(p *Provider, kid string) error {
	i.Helper()

	i.kid = kid
	i.issues(map[string]any{"id_token": i.sign(i.claims(map[string]any{"nonce": nil}))})

	_, err := p.Refresh(i.Context(), "before")

	return err
}

// Anyone can use up the fetch of an interval. A token of a new key is then not refused, and verified after the interval.
func TestRotationAfterAnUnknownKey(t *testing.T) {
	t.Parallel()
	virtual(t, func(t *testing.T, i *issuer, p *Provider) { //nolint:thelper // It is the test.
		if err := i.refreshedBy(p, "first"); err != nil {
			t.Fatal(err)
		}

		time.Sleep(keysInterval)

		if _, err := p.VerifyLogout(t.Context(), newIssuer(t, i.url).signAs("unknown")); !errors.Is(err, ErrRefused) {
			t.Errorf("an unknown key: %v", err)
		}

		if err := i.refreshedBy(p, "second"); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) {
			t.Errorf("a new key in the same interval: %v", err)
		}

		// With a key that is known, nothing can change.
		other := newIssuer(t, i.url)
		if _, err := p.VerifyLogout(t.Context(), other.signAs("first")); !errors.Is(err, ErrRefused) {
			t.Errorf("a forged signature: %v", err)
		}

		time.Sleep(keysInterval)

		if err := i.refreshedBy(p, "second"); err != nil {
			t.Errorf("after the interval: %v", err)
		}
	})
}

// A response without keys says nothing about a token, and the keys that are known stay.
func TestKeysWithoutKeys(t *testing.T) {
	t.Parallel()

	for name, body := range map[string]string{
		"page": "<html>maintenance", "none": `{"keys":[]}`, "cut": `{"keys":[{"kty":`, "other": `{"error":"x"}`, "empty": "",
		"null": "null", "large": strings.Repeat(" ", 2*maxResponse),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtual(t, func(t *testing.T, i *issuer, p *Provider) { //nolint:thelper // It is the test.
				if err := i.refreshedBy(p, "first"); err != nil {
					t.Fatal(err)
				}

				time.Sleep(keysInterval)

				i.endpoints["/keys"] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }

				err := i.refreshedBy(p, "second")
				if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "maintenance") {
					t.Errorf("a new key: %v", err)
				}

				if err := i.refreshedBy(p, "first"); err != nil {
					t.Errorf("the key before: %v", err)
				}
			})
		})
	}
}

// The clock of the gateway may be ahead.
func TestExpiredForAMoment(t *testing.T) {
	t.Parallel()
	virtual(t, func(t *testing.T, i *issuer, p *Provider) { //nolint:thelper // It is the test.
		for age, want := range map[time.Duration]error{leeway - time.Second: nil, leeway + time.Second: ErrRefused} {
			i.issues(map[string]any{"id_token": i.sign(i.claims(map[string]any{"exp": time.Now().Add(-age).Unix()}))})

			if _, err := p.Refresh(t.Context(), "before"); !errors.Is(err, want) {
				t.Errorf("%s after its end: %v", age, err)
			}
		}
	})
}

// The refresh token that came with a token nobody can use has to be revoked.
func TestRefreshTokenOfAMalformedResponse(t *testing.T) {
	t.Parallel()

	for name, change := range map[string]map[string]any{
		"type": {"token_type": "DPoP"}, "long": {"access_token": strings.Repeat("x", maxToken+1)}, "text": {"access_token": "é"},
	} {
		i := start(t)
		i.issues(change)

		if got, err := i.client(nil).Refresh(t.Context(), "before"); !errors.Is(err, ErrRefused) || got.Refresh != "refresh" || got.Access != "" {
			t.Errorf("%s: %q, %v", name, got.Refresh, err)
		}
	}
}
