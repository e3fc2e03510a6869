package session

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
)

// However many logins anyone begins or finishes, the provider and the store are asked by a bounded number at the same time. Those
// that begin do not keep others from finishing.
func TestFloodOfLogins(t *testing.T) {
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser()
		target := CallbackPath + "?" + url.Values{"state": {b.begin("/")}, "code": {"x"}}.Encode()
		held := make(chan struct{})
		s.issuer.held = held

		var waiting sync.WaitGroup
		for range maxLogins {
			waiting.Go(func() { s.browser().send(http.MethodGet, LoginPath) })
		}

		synctest.Wait()

		for _, accept := range []string{"text/html", "application/json"} {
			res := s.browser().send(http.MethodGet, LoginPath, "Accept", accept)
			if res.Code != http.StatusServiceUnavailable || res.Header().Get("Retry-After") == "" || len(res.Result().Cookies()) > 0 {
				t.Errorf("another login: %d %v", res.Code, res.Header())
			}
		}

		s.counted("login unavailable")

		if res := b.send(http.MethodGet, target); res.Code != http.StatusBadRequest {
			t.Errorf("a callback: %d %s", res.Code, res.Body)
		}

		close(held)
		waiting.Wait()
		s.browser().login()
	})
}

// A request with a valid state and without a code is no reason to write to the store.
func TestCallbackWithoutACodeWritesNothing(t *testing.T) {
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser()
		state := url.Values{"state": {b.begin("/")}}.Encode()
		s.store.fail(http.ErrServerClosed)

		for query, want := range map[string]int{"": http.StatusBadRequest, "&error=access_denied": http.StatusForbidden} {
			if res := b.send(http.MethodGet, CallbackPath+"?"+state+query); res.Code != want {
				t.Errorf("%q: %d %s", query, res.Code, res.Body)
			}
		}
	})
}
