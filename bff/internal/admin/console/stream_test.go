package console_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/admin/console"
)

func TestEvents(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		c := console.New(s.deps())
		defer c.Close()

		page := open(c)
		defer page.close()

		start := time.Now()

		first := page.begin(t)
		if !first.Ready || len(first.Routes) != 1 || first.Routes[0].InFlight != 2 || first.Failures == nil {
			t.Errorf("the first state is %+v", first)
		}

		s.served(20)

		second := page.state(t)
		if took := time.Since(start); took != time.Second || !second.Time.Equal(start.Add(time.Second)) {
			t.Errorf("the second state came after %s", took)
		}

		if r := second.Routes[0]; r.Path != "/v1/orders" || r.Short.PerSecond != 20 || r.Long.PerSecond != 20 {
			t.Errorf("%+v", second.Routes)
		}

		for range 9 {
			page.state(t)
		}

		if r := page.state(t).Routes[0]; r.Short.PerSecond != 0 || r.Long.PerSecond != 20./11 {
			t.Errorf("after eleven seconds: %+v", r)
		}

		s.mu.Lock()
		s.about = &console.About{Version: "v2"}
		s.mu.Unlock()

		page.begin(t)
		page.state(t)
	})
}

// Snapshots are shared, and there are none without a page.
func TestSnapshotsAreMadeOnceASecondWhileAPageIsOpen(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		c := console.New(s.deps())
		defer c.Close()

		time.Sleep(time.Minute)

		if n := s.snapshots(); n != 0 {
			t.Fatalf("%d without a page", n)
		}

		pages := []*stream{open(c), open(c), open(c)}
		for _, page := range pages {
			page.begin(t)
		}

		for range 10 {
			for _, page := range pages {
				page.state(t)
			}
		}

		if n := s.snapshots(); n != 11 {
			t.Errorf("%d in ten seconds", n)
		}

		for _, page := range pages {
			page.close()
		}

		time.Sleep(time.Minute)

		if n := s.snapshots(); n > 12 {
			t.Errorf("%d, although the pages are closed", n)
		}

		// It begins anew.
		s.served(100)

		page := open(c)
		defer page.close()

		if first := page.begin(t); len(first.Routes) != 1 {
			t.Errorf("the first state has old rates: %+v", first.Routes)
		}
	})
}

// Nobody waits for a page that does not read, and it gets the latest state when it does.
func TestSlowReader(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		c := console.New(s.deps())
		defer c.Close()

		slow, other := open(c), open(c)
		defer slow.close()
		defer other.close()

		start := time.Now()

		other.begin(t)

		for range 60 {
			other.state(t)
		}

		if took := time.Since(start); took != time.Minute {
			t.Errorf("a minute took %s", took)
		}

		// What was being written, and then what is new.
		slow.begin(t)

		if state := slow.state(t); time.Since(state.Time) > time.Second {
			t.Errorf("it got a state of %s ago", time.Since(state.Time))
		}
	})
}

func TestTooManyPages(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		c := console.New(newSource().deps())
		defer c.Close()

		pages := make([]*stream, console.MaxStreams)
		for i := range pages {
			pages[i] = open(c)
			pages[i].begin(t)
		}

		for _, path := range []string{"/console/events", "/console/state"} {
			if w := get(c, path); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "5" ||
				w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %d %v", path, w.Code, w.Header())
			}
		}

		pages[0].close()

		pages[0] = open(c)
		pages[0].begin(t)

		for _, page := range pages {
			page.close()
		}
	})
}

func TestStreamsEndWithTheGateway(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		c := console.New(newSource().deps())
		page := open(c)
		page.begin(t)

		start := time.Now()

		time.AfterFunc(100*time.Millisecond, c.Close)

		if last := page.state(t); !last.Time.Equal(start.Add(100 * time.Millisecond)) {
			t.Errorf("the last state is of %s", last.Time.Sub(start))
		}

		<-page.ended
		c.Close()

		if w := get(c, "/console/events"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("afterwards: %d", w.Code)
		}
	})
}

func TestStateForScripts(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		c := console.New(s.deps())
		defer c.Close()

		time.AfterFunc(500*time.Millisecond, func() { s.served(7) })

		start := time.Now()
		w := get(c, "/console/state")

		var got console.Snapshot
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}

		if got.About.Version != "v1" || got.State.Routes[0].Short.PerSecond != 7 || time.Since(start) != time.Second {
			t.Errorf("after %s: %+v", time.Since(start), got)
		}

		page := open(c)
		defer page.close()
		page.begin(t)
		page.state(t)

		start = time.Now()
		if w := get(c, "/console/state"); w.Code != http.StatusOK || time.Since(start) != 0 {
			t.Errorf("while a page is open: %d after %s", w.Code, time.Since(start))
		}
	})
}

func get(handler http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))

	return w
}
