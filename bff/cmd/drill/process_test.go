package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestProcessEnds(t *testing.T) {
	t.Parallel()

	log := filepath.Join(t.TempDir(), "log")

	// The shell has a child that would stay if only the shell were ended.
	p, err := launch(log, "sh", "-c", "echo up 42; sleep 100; true")
	if err != nil {
		t.Fatal(err)
	}

	if found, err := p.await(t.Context(), regexp.MustCompile(`up (\d+)`)); err != nil || found[1] != "42" {
		t.Errorf("%q, %v", found, err)
	}

	if err := p.signal(syscall.SIGSTOP); err != nil {
		t.Error(err)
	}

	if code, err := p.stop(); code == 0 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}

	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to a program that has ended: %v", err)
	}

	p, err = launch(log, "sh", "-c", "exit 0")
	if err != nil {
		t.Fatal(err)
	}

	if _, err := p.await(t.Context(), regexp.MustCompile("never")); err == nil {
		t.Error("a program that has ended is waited for")
	}
}

// fakeGateway is ready while told so, and counts its requests.
func fakeGateway(t *testing.T, e *endpoint, ready *atomic.Bool) (*httptest.Server, *atomic.Int64) {
	t.Helper()

	requests := &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/readyz":
			requests.Add(1)
		case !ready.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	e.move(server.URL, server.URL)

	return server, requests
}

func TestBalancer(t *testing.T) {
	t.Parallel()

	b := newBalancer(2)
	t.Cleanup(b.close)

	var ready [2]atomic.Bool

	ready[0].Store(true)
	ready[1].Store(true)

	one, first := fakeGateway(t, b.endpoints[0], &ready[0])
	_, second := fakeGateway(t, b.endpoints[1], &ready[1])

	for _, e := range b.endpoints {
		if err := b.awaitReady(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}

	send := func() {
		t.Helper()

		res, err := b.send(func(url string) (*http.Request, error) {
			return http.NewRequestWithContext(context.Background(), http.MethodGet, url+"/v1", http.NoBody)
		})
		if err != nil {
			t.Fatal(err)
		}

		_ = res.Body.Close()
	}

	for range 10 {
		send()
	}

	if first.Load() != 5 || second.Load() != 5 {
		t.Errorf("not in turn: %d and %d", first.Load(), second.Load())
	}

	// It closes before anybody sees that it is not ready.
	one.Close()

	for range 10 {
		send()
	}

	if second.Load() != 15 {
		t.Errorf("%d requests for the gateway that is there", second.Load())
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "x.db")

	db, err := open(path)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = db.Close() })

	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}

	if got, err := locked(t.Context(), path); err != nil || !got {
		t.Errorf("locked %t, %v", got, err)
	}

	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}

	if got, err := locked(t.Context(), path); err != nil || got {
		t.Errorf("locked %t, %v", got, err)
	}
}
