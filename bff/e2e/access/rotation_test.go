package access_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// keyServer publishes the keys of some issuers, as an issuer does that rotates its keys.
type keyServer struct {
	url     string
	fetches atomic.Int64
	down    atomic.Bool

	mu   sync.Mutex
	keys []json.RawMessage
}

func startKeyServer(t *testing.T) *keyServer {
	t.Helper()

	k := &keyServer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		k.fetches.Add(1)

		if k.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)

			return
		}

		k.mu.Lock()
		defer k.mu.Unlock()

		_ = json.NewEncoder(w).Encode(map[string]any{"keys": k.keys})
	}))
	t.Cleanup(server.Close)

	k.url = server.URL

	return k
}

// publish replaces the published keys.
func (k *keyServer) publish(t *testing.T, issuers ...*devissuer.DevIssuer) {
	t.Helper()

	var all []json.RawMessage

	for _, issuer := range issuers {
		text, err := os.ReadFile(issuer.JWKSFile())
		if err != nil {
			t.Fatal(err)
		}

		var set struct{ Keys []json.RawMessage }
		if err := json.Unmarshal(text, &set); err != nil {
			t.Fatal(err)
		}

		all = append(all, set.Keys...)
	}

	k.mu.Lock()
	defer k.mu.Unlock()

	k.keys = all
}

func newKey(t *testing.T) *devissuer.DevIssuer {
	t.Helper()

	issuer, err := devissuer.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	return issuer
}

// startRemote starts a site whose issuer publishes its keys at a URL.
func startRemote(t *testing.T, interval time.Duration) (*gatewaytest.Site, *keyServer) {
	t.Helper()

	keys := startKeyServer(t)
	first := newKey(t)
	keys.publish(t, first)

	s := gatewaytest.Start(t, func(c *config.Config) {
		c.Limits.Client.Requests, c.Limits.Client.Burst = 1_000_000, 1_000_000
		c.Auth.Issuers = []config.Issuer{{
			Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience}, JWKSURL: keys.url, RefreshInterval: interval,
		}}
	})
	s.Issuer = first

	return s, keys
}

// An issuer publishes a key and signs with it at once; no request with a good token is refused meanwhile.
func TestKeyRotationUnderLoad(t *testing.T) {
	t.Parallel()

	// Nobody rotates twice within the interval in which unknown keys may cause one fetch.
	const rotations, workers, perRotation, interval = 5, 4, 60, 100 * time.Millisecond

	s, keys := startRemote(t, interval)

	var (
		signing         atomic.Pointer[devissuer.DevIssuer]
		served, refused atomic.Int64
		load            sync.WaitGroup
		// inUse is held for reading while there is a token.
		inUse sync.RWMutex
	)

	present := s.Issuer
	signing.Store(present)

	over, stop := context.WithCancel(t.Context())
	defer stop()

	request := func() {
		inUse.RLock()
		defer inUse.RUnlock()

		token, err := signing.Load().Token("alice", nil, time.Hour, time.Now())
		if err != nil {
			t.Error(err)
		}

		res := s.Do(t, http.MethodGet, "/v1/echo/x", http.Header{"Authorization": {"Bearer " + token}}, "")
		if res.Status != http.StatusOK {
			refused.Add(1)
		}

		served.Add(1)
	}

	for range workers {
		load.Go(func() {
			for over.Err() == nil {
				request()
			}
		})
	}

	for range rotations {
		next := newKey(t)
		keys.publish(t, present, next)
		signing.Store(next)

		// Once nobody has a token of the old key any more, it may be withdrawn; and the new one was asked for.
		goal := served.Load() + perRotation
		gatewaytest.Eventually(t, "load", func() bool { return served.Load() >= goal })
		inUse.Lock()

		asked := time.Now()

		inUse.Unlock()
		keys.publish(t, next)

		present = next
		goal = served.Load() + perRotation
		gatewaytest.Eventually(t, "load", func() bool { return served.Load() >= goal && time.Since(asked) > interval })
	}

	stop()
	load.Wait()

	if refused.Load() > 0 {
		t.Errorf("%d of %d requests were refused", refused.Load(), served.Load())
	}
}

// While the issuer is down, what is known goes on; a key that is not known is not the client's fault.
func TestIssuerDown(t *testing.T) {
	t.Parallel()

	s, keys := startRemote(t, 50*time.Millisecond)
	gatewaytest.Eventually(t, "first token", func() bool {
		return s.Do(t, http.MethodGet, "/v1/echo/x", s.As(t, "alice"), "").Status == http.StatusOK
	})

	keys.down.Store(true)

	failed := keys.fetches.Load() + 2
	gatewaytest.Eventually(t, "a failed fetch", func() bool { return keys.fetches.Load() >= failed })

	if res := s.Do(t, http.MethodGet, "/v1/echo/x", s.As(t, "bob"), ""); res.Status != http.StatusOK {
		t.Errorf("known key: %d %s", res.Status, res.Body)
	}

	known := s.Issuer
	s.Issuer = newKey(t)

	res := s.Do(t, http.MethodGet, "/v1/echo/x", s.As(t, "alice"), "")
	if res.Status != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("unknown key: %d %s", res.Status, res.Body)
	}

	keys.publish(t, known, s.Issuer)
	keys.down.Store(false)

	gatewaytest.Eventually(t, "the new key", func() bool {
		return s.Do(t, http.MethodGet, "/v1/echo/x", s.As(t, "alice"), "").Status == http.StatusOK
	})
}

// However many unknown key ids arrive, there is one fetch for them.
func TestUnknownKeyIDsCauseOneFetch(t *testing.T) {
	t.Parallel()

	const tokens = 100

	s, keys := startRemote(t, 5*time.Minute)
	gatewaytest.Eventually(t, "first token", func() bool {
		return s.Do(t, http.MethodGet, "/v1/echo/x", s.As(t, "alice"), "").Status == http.StatusOK
	})

	before := keys.fetches.Load()

	_, forged, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	for range tokens {
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
			"iss": devissuer.IssuerName, "aud": devissuer.Audience, "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(),
		})
		token.Header["kid"] = rand.Text()

		signed, err := token.SignedString(forged)
		if err != nil {
			t.Fatal(err)
		}

		res := s.Do(t, http.MethodGet, "/v1/echo/x", http.Header{"Authorization": {"Bearer " + signed}}, "")
		if res.Status != http.StatusUnauthorized {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
	}

	if fetches := keys.fetches.Load() - before; fetches > 1 {
		t.Errorf("%d fetches", fetches)
	}
}
