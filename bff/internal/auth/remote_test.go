package auth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

// keyServer is the key URL of an issuer, on a real listener.
type keyServer struct {
	url     string
	fetches atomic.Int32
	handler atomic.Pointer[http.HandlerFunc]
}

func newKeyServer(tb testing.TB, handler http.HandlerFunc) *keyServer {
	tb.Helper()

	k := &keyServer{}
	k.handler.Store(&handler)

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.fetches.Add(1)
		(*k.handler.Load())(w, r)
	}))
	tb.Cleanup(server.Close)

	k.url = server.URL

	return k
}

func (k *keyServer) serve(handler http.HandlerFunc) { k.handler.Store(&handler) }

func serving(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }
}

func down(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }

// fetching is the configuration for an issuer whose keys are at a URL.
func fetching(url string, interval time.Duration) config.Issuer {
	return config.Issuer{Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}, JWKSURL: url, RefreshInterval: interval}
}

// eventually waits for a condition that depends on another goroutine and a real network.
func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()

	const patience, pause = time.Minute, 5 * time.Millisecond

	for deadline := time.Now().Add(patience); !condition(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			tb.Fatalf("never: %s", what)
		}
	}
}

func TestKeysFromURL(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "ES256", authtest.KeyID)
	keys := newKeyServer(t, serving(authtest.KeySet(t, s)))
	url := start(t, mustNew(t, fetching(keys.url, time.Hour)))

	for range 3 {
		call(t, url, "Bearer "+s.Token(t, nil, nil)).principal(t)
	}

	if got := keys.fetches.Load(); got != 1 {
		t.Errorf("%d fetches", got)
	}
}

func TestIssuerIsDownAtStart(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	keys := newKeyServer(t, down)
	url := start(t, mustNew(t, fetching(keys.url, 20*time.Millisecond)))

	call(t, url).principal(t) // Others are served.

	got := call(t, url, "Bearer "+s.Token(t, nil, nil))
	if got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "UNAVAILABLE") {
		t.Errorf("answer = %+v", got)
	}

	keys.serve(serving(authtest.KeySet(t, s)))
	eventually(t, "the issuer is up and its tokens are accepted", func() bool {
		return call(t, url, "Bearer "+s.Token(t, nil, nil)).status == http.StatusOK
	})

	keys.serve(down)

	fetches := keys.fetches.Load()
	eventually(t, "keys are fetched again", func() bool { return keys.fetches.Load() > fetches+2 })
	call(t, url, "Bearer "+s.Token(t, nil, nil)).principal(t) // The keys are kept while the issuer is down.
}

func TestHazard22UnknownKeyIDsCauseOneFetch(t *testing.T) {
	t.Parallel()

	const callers, each = 8, 25

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	keys := newKeyServer(t, serving(authtest.KeySet(t, s)))
	url := start(t, mustNew(t, fetching(keys.url, time.Hour)))

	call(t, url, "Bearer "+s.Token(t, nil, nil)).principal(t)

	var wg sync.WaitGroup

	for i := range callers {
		wg.Go(func() {
			for j := range each {
				got := call(t, url, "Bearer "+s.Token(t, authtest.Object{"kid": strconv.Itoa(i*each + j)}, nil))
				if got.status != http.StatusUnauthorized {
					t.Errorf("answer = %+v", got)
				}
			}
		})
	}

	wg.Wait()

	if got := keys.fetches.Load(); got != 2 {
		t.Errorf("%d fetches, want the first and one more", got)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()

	before, after := authtest.NewSigner(t, "EdDSA", "before"), authtest.NewSigner(t, "EdDSA", "after")
	keys := newKeyServer(t, serving(authtest.KeySet(t, before)))
	url := start(t, mustNew(t, fetching(keys.url, time.Hour)))

	call(t, url, "Bearer "+before.Token(t, nil, nil)).principal(t)
	keys.serve(serving(authtest.KeySet(t, after)))

	// The first token with the new key is accepted at once, and the old key is gone.
	call(t, url, "Bearer "+after.Token(t, nil, nil)).principal(t)

	if got := call(t, url, "Bearer "+before.Token(t, nil, nil)); got.status != http.StatusUnauthorized {
		t.Errorf("answer = %+v", got)
	}
}

func TestRefreshAtIntervalRevokesAKey(t *testing.T) {
	t.Parallel()

	before, after := authtest.NewSigner(t, "EdDSA", "before"), authtest.NewSigner(t, "EdDSA", "after")
	keys := newKeyServer(t, serving(authtest.KeySet(t, before)))
	url := start(t, mustNew(t, fetching(keys.url, 20*time.Millisecond)))

	call(t, url, "Bearer "+before.Token(t, nil, nil)).principal(t)
	keys.serve(serving(authtest.KeySet(t, after)))
	eventually(t, "the old key is refused", func() bool {
		return call(t, url, "Bearer "+before.Token(t, nil, nil)).status == http.StatusUnauthorized
	})
}

func TestRequestDoesNotWaitForASlowIssuer(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	release := make(chan struct{})
	keys := newKeyServer(t, func(http.ResponseWriter, *http.Request) { <-release })

	defer close(release)

	url := start(t, mustNew(t, fetching(keys.url, time.Hour)))
	begin := time.Now()

	if got := call(t, url, "Bearer "+s.Token(t, nil, nil)); got.status != http.StatusServiceUnavailable {
		t.Errorf("answer = %+v", got)
	}

	if took := time.Since(begin); took < time.Second || took >= 5*time.Second {
		t.Errorf("took %s, want about 2s and less than a fetch", took)
	}
}

func TestKeySetsThatAreRefused(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	set := authtest.KeySet(t, s)
	elsewhere := newKeyServer(t, serving(set))

	tests := map[string]http.HandlerFunc{
		"error_status": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)

			_, _ = w.Write(set)
		},
		"not_a_set": serving([]byte("<html>")),
		"empty":     serving([]byte(`{"keys":[]}`)),
		"symmetric": serving([]byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`)),
		"too_large": serving([]byte(`{"pad":"` + strings.Repeat("x", 1<<20) + `",` + string(set[1:]))),
		"redirect_to_another_host": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.url, http.StatusFound)
		},
		"redirect_forever": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again", http.StatusFound)
		},
	}

	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			url := start(t, mustNew(t, fetching(newKeyServer(t, handler).url, time.Hour)))
			if got := call(t, url, "Bearer "+s.Token(t, nil, nil)); got.status != http.StatusServiceUnavailable {
				t.Errorf("answer = %+v", got)
			}
		})
	}

	t.Cleanup(func() {
		if elsewhere.fetches.Load() != 0 {
			t.Error("a redirect to another host was followed")
		}
	})
}

func TestRedirectOnTheSameHostIsFollowed(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	set := authtest.KeySet(t, s)
	keys := newKeyServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/keys", http.StatusFound)

			return
		}

		serving(set)(w, r)
	})

	call(t, start(t, mustNew(t, fetching(keys.url, time.Hour))), "Bearer "+s.Token(t, nil, nil)).principal(t)
}

func TestRefreshEndsWithItsContext(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	keys := newKeyServer(t, serving(authtest.KeySet(t, s)))
	ctx, cancel := context.WithCancel(t.Context())

	a, err := open(ctx, config.Auth{Issuers: []config.Issuer{fetching(keys.url, time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}

	url := start(t, a)
	call(t, url, "Bearer "+s.Token(t, nil, nil)).principal(t)
	cancel()
	a.Wait()

	// The quickest of some counts, since the machine may be busy.
	quickest := time.Hour

	for range 5 {
		begin := time.Now()

		if got := call(t, url, "Bearer "+s.Token(t, authtest.Object{"kid": "new"}, nil)); got.status != http.StatusServiceUnavailable {
			t.Errorf("answer = %+v", got)
		}

		quickest = min(quickest, time.Since(begin))
	}

	if quickest > time.Second {
		t.Errorf("requests waited %s for a fetch that cannot come", quickest)
	}
}
