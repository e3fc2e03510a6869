package upstream

import "sync/atomic"

// budget limits hedges and the calls of retriers, together, to a share of all calls. It is safe for concurrent use.
type budget struct {
	perCall, limit int64
	tokens         atomic.Int64
}

// A further call costs token, and up to retriesAtOnce can be saved up: as many as gRPC allows retries at once.
const (
	token         = 1000
	retriesAtOnce = retryTokens / 2
)

func newBudget(share float64, atOnce int64) *budget {
	b := &budget{perCall: int64(share * token), limit: atOnce * token}
	b.tokens.Store(b.limit)

	return b
}

// earn is called once for each call, however many attempts and hedges it has.
func (b *budget) earn() {
	for {
		tokens := b.tokens.Load()
		if tokens >= b.limit || b.tokens.CompareAndSwap(tokens, min(tokens+b.perCall, b.limit)) {
			return
		}
	}
}

// spend reports whether a further call may be made.
func (b *budget) spend() bool {
	for {
		tokens := b.tokens.Load()
		if tokens < token {
			return false
		}

		if b.tokens.CompareAndSwap(tokens, tokens-token) {
			return true
		}
	}
}
