package bff

import (
	"sync/atomic"
	"time"
)

// keyGrace is how a gateway waits for the keys of its issuers: once, when it starts. A reload that adds an issuer which is down
// must not take a gateway out of service. It is safe for concurrent use.
type keyGrace struct {
	began time.Time
	over  atomic.Bool
}

// left is how much of the grace there is, which is never nothing: that would be the default.
func (k *keyGrace) left(grace time.Duration) time.Duration {
	return max(grace-time.Since(k.began), time.Nanosecond)
}

// waiting lists what has to be there before clients are sent here. awaitingKeys may be nil: there are no issuers.
func (k *keyGrace) waiting(awaitingKeys func() []string) []string {
	var names []string
	if awaitingKeys != nil && !k.over.Load() {
		names = awaitingKeys()
	}

	if len(names) == 0 {
		k.over.Store(true)
	}

	for i, name := range names {
		names[i] = "the keys of the issuer " + name
	}

	return names
}
