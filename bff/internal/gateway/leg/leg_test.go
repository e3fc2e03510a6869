package leg_test

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
)

// idle is a connection that does nothing.
type idle struct{ grpc.ClientConnInterface }

func (idle) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return nil }

func TestOrderOfInterceptors(t *testing.T) {
	t.Parallel()

	var called []string

	named := func(name string) grpc.UnaryClientInterceptor {
		return func(
			ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption,
		) error {
			called = append(called, name)

			return next(ctx, method, req, reply, cc, opts...)
		}
	}

	conn := leg.Conn(idle{}, []grpc.UnaryClientInterceptor{named("outer"), named("middle"), named("inner")}, nil)

	if err := conn.Invoke(t.Context(), methodM, nil, nil); err != nil || !slices.Equal(called, []string{"outer", "middle", "inner"}) {
		t.Errorf("%v, %v", called, err)
	}
}

func TestInterceptorsAllocateNothing(t *testing.T) {
	pass := func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		return next(ctx, method, req, reply, cc, opts...)
	}

	conn := leg.Conn(idle{}, []grpc.UnaryClientInterceptor{pass, pass, pass, pass}, nil)
	ctx := t.Context()

	if n := testing.AllocsPerRun(100, func() { _ = conn.Invoke(ctx, methodM, nil, nil) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
