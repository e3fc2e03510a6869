package provider

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// keysInterval is how often keys are fetched at most. Anyone can send tokens of unknown keys to where logout tokens are sent.
const keysInterval = 5 * time.Second

var (
	errKeysFetched = errors.New("the keys have just been fetched")
	errKeys        = errors.New("the keys of the provider")
)

// keySet are the keys of a provider. They are fetched when a token is signed by one that is not known. It is safe for concurrent
// use.
type keySet struct {
	*oidc.RemoteKeySet

	fetches *keyFetches
}

func newKeySet(client *http.Client, url string) *keySet {
	own := *client
	fetches := &keyFetches{next: client.Transport}
	own.Transport = fetches

	return &keySet{oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), &own), url), fetches}
}

// keysOfOne are the keys for one token. They keep why its signature was not verified, of which the library only passes on the text.
type keysOfOne struct {
	*keySet

	err error
}

// VerifySignature implements oidc.KeySet.
func (k *keysOfOne) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.keySet.VerifySignature(ctx, token)

	// Its key may have been fetched meanwhile for another token. If it is still not valid, it never will be: the library looks for
	// another key with the same name, which providers do not have.
	if err != nil && k.fetches.known(keyID(token)) {
		return k.keySet.VerifySignature(ctx, token)
	}

	k.err = err

	return payload, err
}

// explain tells a token that is not valid from one that cannot be verified now, since its key is not known and was not fetched.
func (k *keysOfOne) explain(ctx context.Context, err error) error {
	// Of the errors of a signature, only those of a fetch have a cause.
	if ctx.Err() != nil || errors.Unwrap(k.err) != nil {
		return fmt.Errorf("%w: keys: %w", ErrUnavailable, quoted(err))
	}

	return fmt.Errorf("%w: %w", ErrRefused, quoted(err))
}

// keyID is the name of the key in the header of a token; empty if there is none.
func keyID(token string) string {
	header, _, _ := strings.Cut(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(header)

	var found struct {
		KeyID string `json:"kid"`
	}

	_ = json.Unmarshal(text, &found) // The library refuses it.

	return found.KeyID
}

// keyFetches is a transport for keys alone.
type keyFetches struct {
	next http.RoundTripper

	mu sync.Mutex
	at time.Time
	// ids are the names of the keys that were fetched last.
	ids []string
}

// known reports whether the key with a name was fetched.
func (f *keyFetches) known(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()

	return id != "" && slices.Contains(f.ids, id)
}

// RoundTrip implements http.RoundTripper.
func (f *keyFetches) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	early := !f.at.IsZero() && time.Since(f.at) < keysInterval

	if !early {
		f.at = time.Now()
	}
	f.mu.Unlock()

	if early {
		return nil, errKeysFetched
	}

	res, err := f.next.RoundTrip(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // It is the error of the transport.
	}

	if err := f.read(res); err != nil {
		return nil, err
	}

	return res, nil
}

// read reads the names of the keys in a response. It returns an error if there are none: the library would forget those it has.
// No error has the content, as those of the library do.
func (f *keyFetches) read(res *http.Response) error {
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return fmt.Errorf("%w: read: %w", errKeys, err)
	}

	var set struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}

	switch err := json.Unmarshal(body, &set); {
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("%w: status %d", errKeys, res.StatusCode)
	case err != nil || len(set.Keys) == 0:
		return fmt.Errorf("%w: the response has none", errKeys)
	}

	res.Body = io.NopCloser(bytes.NewReader(body))

	f.mu.Lock()
	defer f.mu.Unlock()

	f.ids = nil
	for _, key := range set.Keys {
		f.ids = append(f.ids, key.ID)
	}

	return nil
}
