package upstream

import "sync/atomic"

// budget keeps hedges and the calls of retriers, together, to a share of all calls. It is safe for concurrent use.
type budget struct {
	perCall, most int64
	tokens        atomic.Int64
}

// A further call costs token, and so many calls can be saved up: as many as gRPC allows retries at once.
const (
	token         = 1000
	retriesAtOnce = retryTokens / 2
)

// newBudget returns a full one.
func newBudget(share float64, atOnce int64) *budget {
	b := &budget{perCall: int64(share * token), most: atOnce * token}
	b.tokens.Store(b.most)

	return b
}

// earn is for each call, however many attempts and hedges it has.
func (b *budget) earn() {
	for {
		had := b.tokens.Load()
		if had >= b.most || b.tokens.CompareAndSwap(had, min(had+b.perCall, b.most)) {
			return
		}
	}
}

// spend reports whether a further call may be made.
func (b *budget) spend() bool {
	for {
		had := b.tokens.Load()
		if had < token {
			return false
		}

		if b.tokens.CompareAndSwap(had, had-token) {
			return true
		}
	}
}
