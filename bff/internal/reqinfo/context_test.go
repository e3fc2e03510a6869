package reqinfo_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

type key struct{}

// begun returns the context of a request, and what ends that of its server.
func begun(t *testing.T) (*reqinfo.Context, context.CancelFunc) {
	t.Helper()

	server, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "of the server"))
	c := &reqinfo.Context{}
	c.Begin(server, time.Now())

	return c, cancel
}

func TestContextHasTheRecordAndTheServersValues(t *testing.T) {
	t.Parallel()

	c, cancel := begun(t)
	defer cancel()

	if got := reqinfo.From(c); got != &c.Record || got.Start.IsZero() {
		t.Errorf("got the record %p, want %p", got, &c.Record)
	}

	if got := c.Value(key{}); got != "of the server" {
		t.Errorf("got %v", got)
	}

	if _, ok := c.Deadline(); ok {
		t.Error("it has a deadline")
	}
}

func TestDeadlineOfARequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, end := begun(t)
		defer end()

		at := time.Now().Add(time.Second)

		got, cancel := reqinfo.WithDeadline(c, at)
		if got != context.Context(c) {
			t.Error("it is another context")
		}

		if deadline, ok := c.Deadline(); !ok || !deadline.Equal(at) {
			t.Errorf("the deadline is %s, %t", deadline, ok)
		}

		child, cancelChild := context.WithCancel(c)
		defer cancelChild()

		<-child.Done()

		if since := time.Until(at); since != 0 {
			t.Errorf("it ended %s before", since)
		}

		if !errors.Is(child.Err(), context.DeadlineExceeded) || !errors.Is(c.Err(), context.DeadlineExceeded) {
			t.Errorf("got %v and %v", child.Err(), c.Err())
		}

		cancel()

		if err := c.Err(); err != nil {
			t.Errorf("after the route: %v", err)
		}
	})
}

// A request that is served at once needs no timer, but its time may be over nevertheless.
func TestDeadlineThatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, end := begun(t)
		defer end()

		_, cancel := reqinfo.WithDeadline(c, time.Now().Add(time.Second))
		defer cancel()

		if err := c.Err(); err != nil {
			t.Errorf("got %v", err)
		}

		time.Sleep(time.Second)

		if err := c.Err(); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(context.Cause(c), err) {
			t.Errorf("got %v because of %v", err, context.Cause(c))
		}

		select {
		case <-c.Done():
		default:
			t.Error("it is not done")
		}
	})
}

func TestEarlierDeadlineOfTheServer(t *testing.T) {
	t.Parallel()

	at := time.Now().Add(time.Hour)

	server, end := context.WithDeadline(t.Context(), at)
	defer end()

	c := &reqinfo.Context{}
	c.Begin(server, time.Now())

	_, cancel := reqinfo.WithDeadline(c, at.Add(time.Hour))
	defer cancel()

	if got, _ := c.Deadline(); !got.Equal(at) {
		t.Errorf("got %s, want %s", got, at)
	}
}

// The route is done, so that nobody waits any longer.
func TestEndOfARouteEndsWhatWasDerived(t *testing.T) {
	t.Parallel()

	c, end := begun(t)
	defer end()

	_, cancel := reqinfo.WithDeadline(c, time.Now().Add(time.Hour))

	derived, cancelDerived := context.WithCancel(c)
	defer cancelDerived()

	cancel()

	if !errors.Is(derived.Err(), context.Canceled) || c.Err() != nil {
		t.Errorf("got %v and %v", derived.Err(), c.Err())
	}
}

func TestDeadlineCostsOneAllocation(t *testing.T) {
	server, end := context.WithCancel(t.Context())
	defer end()

	at := time.Now().Add(time.Hour)

	if n := testing.AllocsPerRun(100, func() {
		c := &reqinfo.Context{}
		c.Begin(server, at)

		_, cancel := reqinfo.WithDeadline(c, at)
		defer cancel()

		_ = c.Err()
	}); n > 2 { // And the context.
		t.Errorf("%g allocations", n)
	}
}

func TestServerEndsARequestWithADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, end := begun(t)

		_, cancel := reqinfo.WithDeadline(c, time.Now().Add(time.Hour))
		defer cancel()

		end()
		<-c.Done()

		if !errors.Is(c.Err(), context.Canceled) {
			t.Errorf("got %v", c.Err())
		}
	})
}

// Middleware may have derived a context, and a request may be handled twice.
func TestFurtherDeadlinesAreContextsOfTheirOwn(t *testing.T) {
	t.Parallel()

	c, end := begun(t)
	defer end()

	derived := context.WithValue(c, key{}, "of middleware")

	got, cancel := reqinfo.WithDeadline(derived, time.Now().Add(time.Hour))
	defer cancel()

	if _, ok := c.Deadline(); ok || got.Value(key{}) != "of middleware" || reqinfo.From(got) != &c.Record {
		t.Errorf("the request's own has a deadline: %t; the derived one has %v", ok, got.Value(key{}))
	}

	for i := range 2 {
		got, cancel := reqinfo.WithDeadline(c, time.Now().Add(time.Hour))
		if first := got == context.Context(c); first != (i == 0) {
			t.Errorf("%d: it is the same context: %t", i, first)
		}

		if _, ok := got.Deadline(); !ok {
			t.Errorf("%d: it has no deadline", i)
		}

		cancel()
	}
}

// The race detector tells.
func TestContextIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()

	c, end := begun(t)
	defer end()

	var wg sync.WaitGroup

	for range 4 {
		wg.Go(func() {
			c.Value(key{})
			c.Done()
			c.Deadline()
			_ = c.Err()
		})
	}

	_, cancel := reqinfo.WithDeadline(c, time.Now().Add(time.Hour))
	cancel()
	wg.Wait()
}

// A read of the body that times out after the deadline ends the context of the server, as when the client has left.
func TestDeadlineComesBeforeWhatFollows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, end := begun(t)

		_, cancel := reqinfo.WithDeadline(c, time.Now().Add(time.Second))
		defer cancel()

		time.Sleep(2 * time.Second)
		end()

		if err := c.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
