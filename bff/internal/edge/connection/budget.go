package connection

import (
	"context"
	"sync/atomic"
	"time"
)

// abortInterval is the time after which an aborted request no longer counts. A client that sends a request per key press, or a
// proxy with many users, aborts some for good reasons; thousands within seconds are an attack (CVE-2023-44487, "rapid reset").
const abortInterval = time.Second

// abortBudget counts the requests of a connection that were aborted, less those that were completed and one for each abortInterval.
// It is a leaky bucket in one word: the moment at which the bucket is empty, as time since the connection began.
type abortBudget struct {
	// known reports that the guard has seen the connection, and epoch is its own at that time.
	known bool
	epoch int64

	began   time.Time
	emptyAt atomic.Int64
}

func newAbortBudget() *abortBudget { return &abortBudget{began: time.Now()} }

// aborted adds a request that was aborted.
func (b *abortBudget) aborted() {
	b.change(func(now, emptyAt int64) int64 { return max(now, emptyAt) + int64(abortInterval) })
}

// completed removes one that was aborted, if there is one.
func (b *abortBudget) completed() {
	if b.used() > 0 {
		b.change(func(_, emptyAt int64) int64 { return emptyAt - int64(abortInterval) })
	}
}

func (b *abortBudget) change(to func(now, emptyAt int64) int64) {
	now := int64(time.Since(b.began))

	for {
		emptyAt := b.emptyAt.Load()
		if b.emptyAt.CompareAndSwap(emptyAt, to(now, emptyAt)) {
			return
		}
	}
}

// used is how many aborted requests count at the moment, rounded up.
func (b *abortBudget) used() int64 {
	emptyAt := b.emptyAt.Load()
	if emptyAt == 0 { // Most connections never abort anything.
		return 0
	}

	left := emptyAt - int64(time.Since(b.began))
	if left <= 0 {
		return 0
	}

	return (left + int64(abortInterval) - 1) / int64(abortInterval)
}

type budgetKey struct{}

// budgetOf returns the budget of the connection of a request. Requests without a known connection have one of their own.
func budgetOf(ctx context.Context) *abortBudget {
	if b, ok := ctx.Value(budgetKey{}).(*abortBudget); ok {
		return b
	}

	return newAbortBudget()
}
