package connection

import (
	"context"
	"sync/atomic"
	"time"
)

// forgiven is the time in which a connection is forgiven one broken request. A client that types ahead, or a proxy with many users
// behind it, breaks some off for good reasons; thousands within seconds are an attack (CVE-2023-44487, "rapid reset").
const forgiven = time.Second

// debt is how many requests of a connection were broken off beyond those that were answered and those that are forgiven by now. It
// is a leaky bucket in one word: the moment at which the debt is paid, as time since the connection began.
type debt struct {
	began time.Time
	paid  atomic.Int64
}

func newDebt() *debt { return &debt{began: time.Now()} }

// aborted adds a request that was broken off.
func (d *debt) aborted() {
	d.change(func(now, paid int64) int64 { return max(now, paid) + int64(forgiven) })
}

// answered pays for one that was broken off, if there is one.
func (d *debt) answered() {
	if d.requests() > 0 {
		d.change(func(_, paid int64) int64 { return paid - int64(forgiven) })
	}
}

func (d *debt) change(to func(now, paid int64) int64) {
	now := int64(time.Since(d.began))

	for {
		paid := d.paid.Load()
		if d.paid.CompareAndSwap(paid, to(now, paid)) {
			return
		}
	}
}

// requests is the debt in requests, rounded up.
func (d *debt) requests() int64 {
	paid := d.paid.Load()
	if paid == 0 { // Most connections never break anything off.
		return 0
	}

	open := paid - int64(time.Since(d.began))
	if open <= 0 {
		return 0
	}

	return (open + int64(forgiven) - 1) / int64(forgiven)
}

type debtKey struct{}

// debtOf returns the debt of the connection that a request came by. Requests that came by none that is known have one of their own.
func debtOf(ctx context.Context) *debt {
	if d, ok := ctx.Value(debtKey{}).(*debt); ok {
		return d
	}

	return newDebt()
}
