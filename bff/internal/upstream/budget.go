package upstream

import "sync/atomic"

// budget keeps second calls to a share of all calls. It is safe for concurrent use.
type budget struct {
	perCall int64
	tokens  atomic.Int64
}

// A call that is hedged costs token, and so many can be saved up.
const (
	token     = 1000
	maxTokens = 10 * token
)

// newBudget returns a full one.
func newBudget(share float64) *budget {
	b := &budget{perCall: int64(share * token)}
	b.tokens.Store(maxTokens)

	return b
}

// earn is for each call.
func (b *budget) earn() {
	for {
		had := b.tokens.Load()
		if had >= maxTokens || b.tokens.CompareAndSwap(had, min(had+b.perCall, maxTokens)) {
			return
		}
	}
}

// spend tells whether a second call may be made.
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
