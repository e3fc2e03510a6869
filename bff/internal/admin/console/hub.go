package console

import (
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-gateway/portico/bff/internal/admin/console/window"
)

// MaxStreams is how many pages may be open at a time.
const MaxStreams = 16

// Why there is no stream for one more page.
var (
	errFull   = errors.New("too many consoles are open at the moment")
	errClosed = errors.New("the gateway is stopping")
)

// hub makes a snapshot once a second for all readers, as long as there are any. Readers fetch the latest one; it never waits for
// them. It is safe for concurrent use.
type hub struct {
	deps Deps
	// latest is nil until the first snapshot, and while there are no readers.
	latest atomic.Pointer[snapshot]
	// closed is closed at the end, when there is a last snapshot for those who are still there.
	closed    chan struct{}
	closeOnce sync.Once

	mu      sync.Mutex
	readers map[*reader]struct{}
	over    bool
	// stop ends the loop. Nil: it does not run.
	stop chan struct{}
	loop sync.WaitGroup
}

// snapshot is what all readers of a second get. It is immutable.
type snapshot struct {
	// about and state are JSON. The pointer of a text is the same as that of the snapshot before if it is about the same.
	about *[]byte
	state []byte
	// settled reports that the rates are over a second or more.
	settled bool
}

// reader is an open page.
type reader struct {
	hub *hub
	// changed has an element when there is another snapshot.
	changed chan struct{}
}

func newHub(deps Deps) *hub {
	return &hub{deps: deps, closed: make(chan struct{}), readers: map[*reader]struct{}{}}
}

// join adds a reader, which must leave.
func (h *hub) join() (*reader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()

	switch {
	case h.over:
		return nil, errClosed
	case len(h.readers) >= MaxStreams:
		return nil, errFull
	}

	r := &reader{hub: h, changed: make(chan struct{}, 1)}
	h.readers[r] = struct{}{}

	if h.stop == nil {
		stop := make(chan struct{})
		h.stop = stop
		h.loop.Go(func() { h.run(stop) })
	} else if h.latest.Load() != nil {
		r.changed <- struct{}{}
	}

	return r, nil
}

// leave removes the reader. After the last one the loop ends.
func (r *reader) leave() {
	h := r.hub

	h.mu.Lock()
	defer h.mu.Unlock()

	delete(h.readers, r)

	if len(h.readers) == 0 && h.stop != nil {
		close(h.stop)
		h.stop = nil
		h.latest.Store(nil)
	}
}

func (h *hub) close() {
	h.mu.Lock()
	h.over = true

	if h.stop != nil {
		close(h.stop)
		h.stop = nil
	}

	h.mu.Unlock()
	h.loop.Wait()
	h.closeOnce.Do(func() { close(h.closed) })
}

// ending reports whether the hub is being closed.
func (h *hub) ending() bool {
	h.mu.Lock()
	defer h.mu.Unlock()

	return h.over
}

// run makes snapshots until stop is closed.
func (h *hub) run(stop chan struct{}) {
	tick := time.NewTicker(interval)
	defer tick.Stop()

	m := maker{deps: h.deps, window: window.New(longSpan)}

	for {
		h.publish(m.make(time.Now()), stop)

		select {
		case <-stop:
			if h.ending() {
				h.latest.Store(m.make(time.Now()))
			}

			return
		case <-tick.C:
		}
	}
}

// publish hands out a snapshot, unless the loop that made it has been stopped.
func (h *hub) publish(s *snapshot, stop chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()

	if h.stop != stop {
		return
	}

	h.latest.Store(s)

	for r := range h.readers {
		select {
		case r.changed <- struct{}{}:
		default: // It has not fetched the one before yet.
		}
	}
}

// maker makes snapshots.
type maker struct {
	deps   Deps
	window *window.Window
	made   int
	// about is what the text is about.
	about *About
	text  *[]byte
}

func (m *maker) make(now time.Time) *snapshot {
	m.deps.Connect()
	m.window.Add(now, m.deps.Totals())

	if about := m.deps.About(); about != m.about {
		text := encode(about)
		m.about, m.text = about, &text
	}

	state := m.deps.State()
	state.Time = now
	complete(&state, m.window)
	state.Failures = m.deps.Recent.list()

	m.made++

	return &snapshot{about: m.text, state: encode(state), settled: m.made > 1}
}

// encode returns the JSON of what consists of texts, numbers and times, which always encodes.
func encode(v any) []byte {
	text, _ := json.Marshal(v) //nolint:errchkjson // See above.

	return text
}
