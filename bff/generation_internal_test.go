package bff

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/portico-gateway/portico/bff/internal/resource"
)

// numbered returns a generation with a resource, which has a state: 1 while it is open, and 0 then.
func numbered(ended *atomic.Int64) (*generation, *atomic.Int64) {
	var open atomic.Int64

	open.Store(1)

	lease := resource.NewSet().Lease()
	lease.AtEnd(func() error {
		open.Store(0)
		return nil
	})

	return newGeneration(nil, lease, func(old *generation) {
		ended.Add(1)

		_ = old.end()
	}), &open
}

func TestGenerationEndsWithItsLastUser(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var (
			ended atomic.Int64
			all   generations
		)

		first, open := numbered(&ended)
		second, _ := numbered(&ended)

		all.replace(first)

		request := all.acquire()
		release := request.hold()

		all.replace(second)
		request.done()
		synctest.Wait()

		if open.Load() != 1 || ended.Load() != 0 {
			t.Error("it has ended during a fetch of one of its requests")
		}

		release()
		synctest.Wait()

		if open.Load() != 0 || ended.Load() != 1 {
			t.Errorf("ended %d times", ended.Load())
		}

		if first.begin() {
			t.Error("one that has ended has a new user")
		}

		if got := all.acquire(); got != second {
			t.Error("a request gets another one than the current one")
		}
	})
}

// No request may get a generation that is closed, whatever else happens at the same time.
func TestGenerationsAreReplacedUnderLoad(t *testing.T) {
	t.Parallel()

	const replacements = 2000

	var (
		all     generations
		ended   atomic.Int64
		over    atomic.Bool
		running sync.WaitGroup
		opens   sync.Map
	)

	add := func() {
		next, open := numbered(&ended)
		opens.Store(next, open)
		all.replace(next)
	}

	add()

	for range 4 {
		running.Go(func() {
			for !over.Load() {
				current := all.acquire()
				if open, _ := opens.Load(current); open.(*atomic.Int64).Load() != 1 {
					t.Error("a request got a generation that is closed")
				}

				current.done()
			}
		})
	}

	for range replacements {
		add()
	}

	over.Store(true)
	running.Wait()

	for ended.Load() != replacements {
		all.acquire().done()
	}
}

func TestGenerationsAreClosedOnce(t *testing.T) {
	t.Parallel()

	var (
		all   generations
		ended atomic.Int64
	)

	one, _ := numbered(&ended)
	if !all.replace(one) || len(all.list(true)) != 1 {
		t.Error("there is not one")
	}

	if next, _ := numbered(&ended); all.replace(next) {
		t.Error("another one after the end")
	}

	fault := errors.New("lost")
	lease := resource.NewSet().Lease()
	lease.AtEnd(func() error { return fault })

	g := newGeneration(nil, lease, nil)
	for range 2 {
		if !errors.Is(g.end(), fault) {
			t.Error("the error of the end is lost")
		}
	}
}

// BenchmarkServe is what a request costs to find its generation, compared with a handler alone.
func BenchmarkServe(b *testing.B) {
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

	var (
		g     Gateway
		ended atomic.Int64
	)

	one, _ := numbered(&ended)
	one.handler = handler
	g.generations.replace(one)

	for name, serve := range map[string]http.HandlerFunc{"handler": handler, "generation": g.serve} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)

			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					serve(nil, r)
				}
			})
		})
	}
}
