package balance

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/balancer"
)

// always picks the same.
type always struct{ subConn *subConn }

func (a always) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{SubConn: a.subConn}, nil
}

// BenchmarkPick is what choosing an address costs each call beyond the policy that is wrapped.
func BenchmarkPick(b *testing.B) {
	w := ready("a", "b")
	sc := &subConn{wrapper: w, member: w.members["a"], conns: &conns{}}
	p := &picker{child: always{sc}, wrapper: w}

	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()

	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			result, _ := p.Pick(balancer.PickInfo{Ctx: ctx})
			result.Done(balancer.DoneInfo{BytesReceived: true})
		}
	})
}
