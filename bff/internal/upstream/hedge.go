package upstream

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
)

// hedge makes a second call concurrently, if there is no reply to the first in time (gRFC A6; grpc-go has only retries). The second
// goes to another address, if there is one. With ring_hash callers stay with their addresses, so calls are not hedged then.
type hedge struct {
	after time.Duration
	// codes are those with which the other call is awaited. Every other outcome is final.
	codes  []codes.Code
	budget *budget
}

// hedged reports whether calls with this retry policy are hedged, too.
func hedged(cfg Config, retry *policy.Retry) bool {
	return retry != nil && retry.HedgeAfter > 0 && cfg.Balancing != config.RingHash
}

// invoke makes a call: the next layer.
type invoke func(ctx context.Context, reply any, opts []grpc.CallOption) error

// call makes one call, and a second one if it is due and the budget allows. The first final outcome counts and ends the other call;
// both have ended when it returns. A call whose reply is not a proto.Message cannot have a second reply, and is not hedged.
func (h *hedge) call(ctx context.Context, reply any, opts []grpc.CallOption, next invoke) (Hedge, error) {
	message, ok := reply.(proto.Message)
	if !ok {
		return NotHedged, next(ctx, reply, opts)
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var second *secondCall

	// Before the first call may be writing to the message.
	kind := message.ProtoReflect().Type()
	ended := make(chan struct{})
	timer := time.AfterFunc(h.after, func() {
		defer close(ended)

		if h.budget.spend() {
			second = newSecondCall(kind, opts)
			second.run(ctx, next)

			if h.final(second.err) {
				cancel()
			}
		}
	})

	defer timer.Stop()

	err := next(ctx, reply, opts)
	if timer.Stop() {
		return NotHedged, err
	}

	final := h.final(err)
	if final {
		cancel()
	}

	<-ended

	switch {
	case second == nil:
		return HedgeNoBudget, err
	case !final && h.final(second.err):
		return HedgeWon, second.deliver(message)
	default:
		return HedgeLost, err
	}
}

// final reports whether the outcome of a call is final.
func (h *hedge) final(err error) bool {
	code := status.Code(err)
	return code != codes.Canceled && code != codes.DeadlineExceeded && !slices.Contains(h.codes, code)
}

// secondCall has a reply and metadata of its own: the first call may be writing to the caller's.
type secondCall struct {
	reply proto.Message
	opts  []grpc.CallOption
	// copyBack copies the results of the options to where the caller wants them.
	copyBack []func()
	err      error
}

func newSecondCall(kind protoreflect.MessageType, opts []grpc.CallOption) *secondCall {
	c := &secondCall{reply: kind.New().Interface(), opts: make([]grpc.CallOption, 0, len(opts))}

	for _, opt := range opts {
		switch opt := opt.(type) {
		case grpc.HeaderCallOption:
			var md metadata.MD

			c.opts = append(c.opts, grpc.Header(&md))
			c.copyBack = append(c.copyBack, func() { *opt.HeaderAddr = md })
		case grpc.TrailerCallOption:
			var md metadata.MD

			c.opts = append(c.opts, grpc.Trailer(&md))
			c.copyBack = append(c.copyBack, func() { *opt.TrailerAddr = md })
		case grpc.PeerCallOption:
			var p peer.Peer

			c.opts = append(c.opts, grpc.Peer(&p))
			c.copyBack = append(c.copyBack, func() { *opt.PeerAddr = p })
		case grpc.OnFinishCallOption:
			// The caller expects a single call of it.
		default:
			c.opts = append(c.opts, opt)
		}
	}

	return c
}

// run makes the call. A panic becomes an error: nothing else recovers from it on this goroutine.
func (c *secondCall) run(ctx context.Context, next invoke) {
	defer func() {
		if p := recover(); p != nil {
			c.err = status.Error(codes.Internal, fmt.Sprintf("panic in a hedged call: %v", p))
		}
	}()

	c.err = next(ctx, c.reply, c.opts)
}

// deliver copies the outcome to the caller, whose own call has ended without a final one.
func (c *secondCall) deliver(reply proto.Message) error {
	for _, copyBack := range c.copyBack {
		copyBack()
	}

	if c.err == nil {
		proto.Reset(reply)
		proto.Merge(reply, c.reply)
	}

	return c.err
}
