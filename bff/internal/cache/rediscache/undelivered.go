package rediscache

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxUndelivered tags are remembered one by one. What is beyond makes all obsolete.
	maxUndelivered = 4096
	// batch is how many of them Redis gets at a time, which takes it about a millisecond.
	batch = 256
	// pause is how long it is left alone after it has failed.
	pause = 200 * time.Millisecond
	// lastTry bounds the attempts at the end. The breaker may let none through for a while, though Redis is back.
	lastTry = 2 * time.Second
)

// undelivered are the invalidations that Redis did not get. A goroutine sends them again for as long as there are any.
type undelivered struct {
	deliver func(ctx context.Context, tags string) error
	forget  func(ctx context.Context) error
	stop    context.CancelFunc
	ctx     context.Context //nolint:containedctx // It is that of the goroutine.
	running sync.WaitGroup
	// snapshot is what is there now. Nobody changes it.
	snapshot atomic.Pointer[hidden]

	mu      sync.Mutex
	sending bool
	closed  bool
	// tags, and all of them if all is not 0, have the number of their invalidation, so that one that comes again while it is sent
	// is not taken for sent.
	tags map[string]uint64
	all  uint64
	last uint64
}

// hidden are tags whose entries must not be given out. See undelivered for the numbers.
type hidden struct {
	all  uint64
	tags map[string]uint64
}

func newUndelivered(deliver func(context.Context, string) error, forget func(context.Context) error) *undelivered {
	u := &undelivered{deliver: deliver, forget: forget, tags: map[string]uint64{}}
	u.ctx, u.stop = context.WithCancel(context.Background())
	u.snapshot.Store(&hidden{})

	return u
}

func (u *undelivered) now() *hidden { return u.snapshot.Load() }

func (h *hidden) empty() bool { return h.all == 0 && len(h.tags) == 0 }

// lost says what it means that these are not delivered.
func (h *hidden) lost() string {
	if h.all > 0 {
		return "that all answers are obsolete is lost"
	}

	return fmt.Sprintf("invalidations of %d tags are lost", len(h.tags))
}

// any reports whether one of the tags, which stand one behind the other, is hidden.
func (h *hidden) any(tags string) bool {
	if h.empty() || tags == "" {
		return false
	}

	for id := range split(tags) {
		if _, there := h.tags[id]; there || h.all > 0 {
			return true
		}
	}

	return false
}

func split(tags string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for ; len(tags) >= idLength; tags = tags[idLength:] {
			if !yield(tags[:idLength]) {
				return
			}
		}
	}
}

// add hides the tags and has them sent.
func (u *undelivered) add(tags string) {
	u.mu.Lock()
	defer u.mu.Unlock()

	u.last++

	for id := range split(tags) {
		u.tags[strings.Clone(id)] = u.last
	}

	if len(u.tags) > maxUndelivered {
		u.all = u.last
		clear(u.tags)
	}

	u.publish()

	if !u.sending && !u.closed {
		u.sending = true

		u.running.Go(u.send)
	}
}

// publish makes the snapshot. The maps are small, for as long as Redis is there most of the time.
func (u *undelivered) publish() {
	u.snapshot.Store(&hidden{all: u.all, tags: maps.Clone(u.tags)})
}

// send goes on until everything is delivered.
func (u *undelivered) send() {
	for {
		delivered, err := u.try(u.ctx)
		if delivered && u.finished() {
			return
		}

		if err == nil {
			continue
		}

		select {
		case <-time.After(pause):
		case <-u.ctx.Done():
			return
		}
	}
}

// finished reports whether the goroutine may end, which it then must.
func (u *undelivered) finished() bool {
	u.mu.Lock()
	defer u.mu.Unlock()

	u.sending = u.all > 0 || len(u.tags) > 0

	return !u.sending
}

// try sends what is there, and reports whether that was all.
func (u *undelivered) try(ctx context.Context) (bool, error) {
	h := u.now()

	// Whatever else there is came after that, or is a part of it.
	if h.all > 0 {
		if err := u.forget(ctx); err != nil {
			return false, err
		}
	}

	sent := make([]string, 0, batch)

	for id := range h.tags {
		if sent = append(sent, id); len(sent) == batch {
			break
		}
	}

	if len(sent) > 0 {
		if err := u.deliver(ctx, strings.Join(sent, "")); err != nil {
			return false, err
		}
	}

	return u.remove(h, sent), nil
}

// remove takes away what was delivered, as it was in h, and reports whether nothing is left.
func (u *undelivered) remove(h *hidden, sent []string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()

	for _, id := range sent {
		if u.tags[id] == h.tags[id] {
			delete(u.tags, id)
		}
	}

	if u.all == h.all {
		u.all = 0
	}

	u.publish()

	return u.all == 0 && len(u.tags) == 0
}

// close ends the goroutine and sends what is left, if that is possible soon.
func (u *undelivered) close() error {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()

	u.stop()
	u.running.Wait()

	ctx, cancel := context.WithTimeout(context.Background(), lastTry)
	defer cancel()

	for !u.now().empty() {
		_, err := u.try(ctx)
		if err == nil {
			continue
		}

		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", u.now().lost(), err)
		}
	}

	return nil
}
