package session

import (
	"maps"
	"sync"
	"time"
)

const (
	// refreshPause is how long the provider is not asked again for a subject after a failure.
	refreshPause = time.Second
	// pauseForAll is how many subjects in a row fail until it is asked for none in that time: then it is not about them.
	pauseForAll = 3
)

// pauses are the subjects whose refreshes have failed just now. It is safe for concurrent use.
type pauses struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// now reports whether a subject has to wait.
func (p *pauses) now(subject string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.forget()

	_, failed := p.until[subject]

	return failed || len(p.until) >= pauseForAll
}

func (p *pauses) forget() {
	now := time.Now()
	maps.DeleteFunc(p.until, func(_ string, until time.Time) bool { return !now.Before(until) })
}

// failed begins a pause for a subject.
func (p *pauses) failed(subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.forget()

	if p.until == nil {
		p.until = map[string]time.Time{}
	}

	if len(p.until) < pauseForAll {
		p.until[subject] = time.Now().Add(refreshPause)
	}
}

// succeeded ends all pauses: the provider replies.
func (p *pauses) succeeded() {
	p.mu.Lock()
	defer p.mu.Unlock()

	clear(p.until)
}
