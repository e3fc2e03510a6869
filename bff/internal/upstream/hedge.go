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

// hedge makes a call a second time beside the first, if that has not been answered in time (gRFC A6; grpc-go has retries alone).
// The balancing policy chooses an address for each of them, mostly another one for the second. Where ring_hash balances it would
// be the same, which is slow already: calls are not hedged there.
type hedge struct {
	after time.Duration
	// codes are worth waiting for the other call. Every other outcome is an answer.
	codes  []codes.Code
	budget *budget
}

// hedged reports whether calls that are repeated in this way are hedged, too.
func hedged(cfg Config, retry *policy.Retry) bool {
	return retry != nil && retry.HedgeAfter > 0 && cfg.Balancing != config.RingHash
}

// invoke makes a call: what is below the hedge.
type invoke func(ctx context.Context, reply any, opts []grpc.CallOption) error

// call makes one call, and a second one if it must and may. The first answer counts and ends the other call; both have ended when
// it returns. A reply that is not a proto.Message cannot be kept apart from another and is not hedged.
func (h *hedge) call(ctx context.Context, reply any, opts []grpc.CallOption, next invoke) error {
	message, ok := reply.(proto.Message)
	if !ok {
		return next(ctx, reply, opts)
	}

	ctx, finish := context.WithCancel(ctx)
	defer finish()

	var second *copied

	// Not to be asked once the first call may be writing to the message.
	kind := message.ProtoReflect().Type()
	ended := make(chan struct{})
	timer := time.AfterFunc(h.after, func() {
		defer close(ended)

		if h.budget.spend() {
			second = newCopied(kind, opts)
			second.run(ctx, next)

			if h.answers(second.err) {
				finish()
			}
		}
	})

	defer timer.Stop()

	err := next(ctx, reply, opts)
	if timer.Stop() {
		return err
	}

	answered := h.answers(err)
	if answered {
		finish()
	}

	<-ended

	if !answered && second != nil && h.answers(second.err) {
		return second.give(message)
	}

	return err
}

// answers reports whether a call that ended so has been answered.
func (h *hedge) answers(err error) bool {
	code := status.Code(err)

	return code != codes.Canceled && code != codes.DeadlineExceeded && !slices.Contains(h.codes, code)
}

// copied is a second call, with a reply and metadata of its own: the first may be writing to the caller's.
type copied struct {
	reply proto.Message
	opts  []grpc.CallOption
	// settle copies what the options were for to where the caller wants it.
	settle []func()
	err    error
}

func newCopied(kind protoreflect.MessageType, opts []grpc.CallOption) *copied {
	c := &copied{reply: kind.New().Interface(), opts: make([]grpc.CallOption, 0, len(opts))}

	for _, opt := range opts {
		switch opt := opt.(type) {
		case grpc.HeaderCallOption:
			var md metadata.MD

			c.opts = append(c.opts, grpc.Header(&md))
			c.settle = append(c.settle, func() { *opt.HeaderAddr = md })
		case grpc.TrailerCallOption:
			var md metadata.MD

			c.opts = append(c.opts, grpc.Trailer(&md))
			c.settle = append(c.settle, func() { *opt.TrailerAddr = md })
		case grpc.PeerCallOption:
			var p peer.Peer

			c.opts = append(c.opts, grpc.Peer(&p))
			c.settle = append(c.settle, func() { *opt.PeerAddr = p })
		case grpc.OnFinishCallOption:
			// The caller expects one end.
		default:
			c.opts = append(c.opts, opt)
		}
	}

	return c
}

// run makes the call. A panic is an error: it is on a goroutine where nobody recovers.
func (c *copied) run(ctx context.Context, next invoke) {
	defer func() {
		if p := recover(); p != nil {
			c.err = status.Error(codes.Internal, fmt.Sprintf("panic in a hedged call: %v", p))
		}
	}()

	c.err = next(ctx, c.reply, c.opts)
}

// give hands the outcome to the caller, whose own call has ended without an answer.
func (c *copied) give(reply proto.Message) error {
	for _, settle := range c.settle {
		settle()
	}

	if c.err == nil {
		proto.Reset(reply)
		proto.Merge(reply, c.reply)
	}

	return c.err
}
