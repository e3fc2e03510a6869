package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// keysInterval is how often keys are fetched at most. Anyone can send tokens of unknown keys to where logout tokens are sent.
const keysInterval = 5 * time.Second

var (
	errKeysFetched = errors.New("the keys have just been fetched")
	errKeysStatus  = errors.New("the keys of the provider")
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

// explain tells a token that is not valid from one that cannot be verified now.
func (k *keySet) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil || k.fetches.justFailed() {
		return fmt.Errorf("%w: keys: %w", ErrUnavailable, quoted(err))
	}

	return fmt.Errorf("%w: %w", ErrRefused, quoted(err))
}

// keyFetches is a transport for keys alone.
type keyFetches struct {
	next http.RoundTripper

	mu     sync.Mutex
	at     time.Time
	failed bool
}

// RoundTrip implements http.RoundTripper.
func (f *keyFetches) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	early := !f.at.IsZero() && time.Since(f.at) < keysInterval

	if !early {
		f.at, f.failed = time.Now(), true // Until there is a response.
	}
	f.mu.Unlock()

	if early {
		return nil, errKeysFetched
	}

	res, err := f.next.RoundTrip(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // It is the error of the transport.
	}

	// Without the content, which the library would have in its error.
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%w: status %d", errKeysStatus, res.StatusCode), res.Body.Close())
	}

	f.mu.Lock()
	f.failed = false
	f.mu.Unlock()

	return res, nil
}

// justFailed reports whether the last fetch has failed, and no other may have been made since.
func (f *keyFetches) justFailed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.failed && time.Since(f.at) < keysInterval
}
