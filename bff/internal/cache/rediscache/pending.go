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
	// maxPending tags are remembered individually. With more, all entries count as obsolete.
	maxPending = 4096
	// batch is how many of them are sent at a time, which takes Redis about a millisecond.
	batch = 256
	// pause is the time between attempts after a failure.
	pause = 200 * time.Millisecond
	// lastTry bounds the attempts of close. The breaker may let none through for a while, although Redis is back.
	lastTry = 2 * time.Second
)

// pendingInvalidations are the invalidations that Redis did not get. A goroutine sends them as long as there are any.
type pendingInvalidations struct {
	deliver func(ctx context.Context, tags string) error
	forget  func(ctx context.Context) error
	stop    context.CancelFunc
	ctx     context.Context //nolint:containedctx // It is the context of the goroutine.
	running sync.WaitGroup
	// current is what is pending now. A snapshot is never changed.
	current atomic.Pointer[snapshot]

	mu      sync.Mutex
	sending bool
	closed  bool
	// tags have the number of their last invalidation, and so has all, which is for all tags; 0: there is none. So one that is
	// repeated while it is sent stays pending.
	tags map[string]uint64
	all  uint64
	last uint64
}

// snapshot is the tags whose entries must not be served. See pendingInvalidations for the numbers.
type snapshot struct {
	all  uint64
	tags map[string]uint64
}

func newPending(deliver func(context.Context, string) error, forget func(context.Context) error) *pendingInvalidations {
	p := &pendingInvalidations{deliver: deliver, forget: forget, tags: map[string]uint64{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.current.Store(&snapshot{})

	return p
}

func (p *pendingInvalidations) now() *snapshot { return p.current.Load() }

func (s *snapshot) empty() bool { return s.all == 0 && len(s.tags) == 0 }

func (s *snapshot) lost() string {
	if s.all > 0 {
		return "the invalidation of all responses is lost"
	}

	return fmt.Sprintf("invalidations of %d tags are lost", len(s.tags))
}

// any reports whether one of the concatenated tags is pending.
func (s *snapshot) any(tags string) bool {
	if s.empty() || tags == "" {
		return false
	}

	for id := range eachID(tags) {
		if _, there := s.tags[id]; there || s.all > 0 {
			return true
		}
	}

	return false
}

func eachID(tags string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for ; len(tags) >= idLength; tags = tags[idLength:] {
			if !yield(tags[:idLength]) {
				return
			}
		}
	}
}

func (p *pendingInvalidations) add(tags string) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.last++

	for id := range eachID(tags) {
		p.tags[strings.Clone(id)] = p.last
	}

	if len(p.tags) > maxPending {
		p.all = p.last
		clear(p.tags)
	}

	p.publish()

	if !p.sending && !p.closed {
		p.sending = true

		p.running.Go(p.send)
	}
}

// publish makes the snapshot. The maps are small while Redis is reachable.
func (p *pendingInvalidations) publish() {
	p.current.Store(&snapshot{all: p.all, tags: maps.Clone(p.tags)})
}

func (p *pendingInvalidations) send() {
	for {
		if err := p.drain(p.ctx); err != nil || p.finished() {
			return
		}
	}
}

// drain sends until nothing is pending, or, with an error, until ctx ends.
func (p *pendingInvalidations) drain(ctx context.Context) error {
	for !p.now().empty() {
		err := p.sendBatch(ctx)
		if err == nil {
			continue
		}

		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}

	return nil
}

// finished reports whether nothing is left, and then the goroutine must end.
func (p *pendingInvalidations) finished() bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.sending = p.all > 0 || len(p.tags) > 0

	return !p.sending
}

// sendBatch sends some of what is pending.
func (p *pendingInvalidations) sendBatch(ctx context.Context) error {
	s := p.now()

	// All other pending tags were added later, or are covered by it.
	if s.all > 0 {
		if err := p.forget(ctx); err != nil {
			return err
		}
	}

	sent := make([]string, 0, batch)

	for id := range s.tags {
		if sent = append(sent, id); len(sent) == batch {
			break
		}
	}

	if len(sent) > 0 {
		if err := p.deliver(ctx, strings.Join(sent, "")); err != nil {
			return err
		}
	}

	p.remove(s, sent)

	return nil
}

// remove removes what was delivered, as it was in the snapshot.
func (p *pendingInvalidations) remove(s *snapshot, sent []string) {
	p.mu.Lock()
	defer p.mu.Unlock()

	for _, id := range sent {
		if p.tags[id] == s.tags[id] {
			delete(p.tags, id)
		}
	}

	if p.all == s.all {
		p.all = 0
	}

	p.publish()
}

// close ends the goroutine and sends what is left, if that is possible soon.
func (p *pendingInvalidations) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()

	p.stop()
	p.running.Wait()

	ctx, cancel := context.WithTimeout(context.Background(), lastTry)
	defer cancel()

	if err := p.drain(ctx); err != nil {
		return fmt.Errorf("%s: %w", p.now().lost(), err)
	}

	return nil
}
