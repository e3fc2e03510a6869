package leg_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// fakeStream is a stream to a backend.
type fakeStream struct {
	ctx      context.Context //nolint:containedctx // It is the stream's.
	opened   int
	sent     []any
	received int
}

func (s *fakeStream) Context() context.Context     { return s.ctx }
func (s *fakeStream) CloseSend() error             { return nil }
func (s *fakeStream) Header() (metadata.MD, error) { return metadata.Pairs("a", "b"), nil }
func (s *fakeStream) Trailer() metadata.MD         { return metadata.Pairs("c", "d") }

func (s *fakeStream) SendMsg(m any) error {
	s.sent = append(s.sent, m)
	return nil
}

func (s *fakeStream) RecvMsg(any) error {
	if s.received++; s.received > 2 {
		return io.EOF
	}

	return s.ctx.Err()
}

// stream opens a stream as alice.
func (c *callee) stream(ctx context.Context, desc grpc.StreamDesc, as reqinfo.Principal) (*fakeStream, grpc.ClientStream, error) {
	inner := &fakeStream{}
	ctx = reqinfo.NewContext(ctx, &reqinfo.Record{Principal: as})

	outer, err := c.Stream(ctx, &desc, nil, methodM,
		func(ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
			inner.opened++
			inner.ctx = ctx

			return inner, nil
		})

	return inner, outer, err
}

const ownerOfThings = `access: {owner: {variable: "user_id"}} timeout: {seconds: 2} rate_limits: {requests: 1 burst: 1 legs: true}`

func TestServerStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := guard(t, ownerOfThings, nil)

		inner, outer, err := c.stream(t.Context(), grpc.StreamDesc{ServerStreams: true}, alice())
		if err != nil || inner.opened != 0 {
			t.Fatalf("%v, opened %d times before there is a request", err, inner.opened)
		}

		if err := outer.SendMsg(c.thing("alice", 1)); err != nil {
			t.Fatal(err)
		}

		if err := outer.CloseSend(); err != nil || inner.opened != 1 || len(inner.sent) != 1 {
			t.Fatalf("%v, opened %d times, %v", err, inner.opened, inner.sent)
		}

		if deadline, ok := inner.ctx.Deadline(); !ok || time.Until(deadline) != 2*time.Second {
			t.Errorf("it has not the timeout of the method: %v", deadline)
		}

		if md, err := outer.Header(); err != nil || len(md["a"]) == 0 || len(outer.Trailer()["c"]) == 0 || outer.Context() == nil {
			t.Errorf("%v %v", md, err)
		}

		for range 2 {
			if err := outer.RecvMsg(nil); err != nil {
				t.Fatal(err)
			}
		}

		if err := outer.RecvMsg(nil); !errors.Is(err, io.EOF) || inner.ctx.Err() == nil {
			t.Errorf("%v, and what it holds is not freed", err)
		}

		// The bucket is empty.
		second, outer, err := c.stream(t.Context(), grpc.StreamDesc{ServerStreams: true}, alice())
		if err != nil {
			t.Fatal(err)
		}

		if err := outer.SendMsg(c.thing("alice", 1)); status.Code(err) != codes.ResourceExhausted || second.opened > 0 {
			t.Errorf("%v, opened %d times", err, second.opened)
		}
	})
}

func TestStreamThatIsRefusedIsNotOpened(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		as     reqinfo.Principal
		userID string
		count  int32
		want   codes.Code
	}{
		"owner":  {alice(), "bob", 0, codes.PermissionDenied},
		"rules":  {alice(), "alice", 51, codes.InvalidArgument},
		"nobody": {reqinfo.Principal{}, "alice", 0, codes.Unauthenticated},
	} {
		for _, desc := range []grpc.StreamDesc{{ServerStreams: true}, {ClientStreams: true}, {ClientStreams: true, ServerStreams: true}} {
			c := guard(t, ownerOfThings, nil)

			inner, outer, err := c.stream(t.Context(), desc, row.as)
			if err != nil {
				t.Fatal(err)
			}

			if err := outer.SendMsg(c.thing(row.userID, row.count)); status.Code(err) != row.want || inner.opened > 0 {
				t.Errorf("%s: %v, opened %d times", name, err, inner.opened)
			}

			if err := outer.RecvMsg(nil); status.Code(err) != row.want || inner.opened > 0 {
				t.Errorf("%s: who receives gets %v, opened %d times", name, err, inner.opened)
			}
		}
	}
}

// Where the policy does not look at messages, the backend may talk first.
func TestClientStream(t *testing.T) {
	t.Parallel()

	c := guard(t, `access: {authenticated: true}`, nil)
	desc := grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

	if inner, _, err := c.stream(t.Context(), desc, reqinfo.Principal{}); status.Code(err) != codes.Unauthenticated || inner.opened > 0 {
		t.Errorf("%v, opened %d times", err, inner.opened)
	}

	inner, outer, err := c.stream(t.Context(), desc, alice())
	if err != nil || inner.opened != 1 {
		t.Fatalf("%v, opened %d times", err, inner.opened)
	}

	if err := outer.RecvMsg(nil); err != nil {
		t.Error(err)
	}

	if err := outer.SendMsg(c.thing("", 1)); err != nil {
		t.Error(err)
	}

	if err := outer.SendMsg(c.thing("", 51)); status.Code(err) != codes.InvalidArgument || len(inner.sent) != 1 || inner.ctx.Err() == nil {
		t.Errorf("%v, sent %d, and the stream goes on: %v", err, len(inner.sent), inner.ctx.Err())
	}
}

func TestStreamWithoutAMessage(t *testing.T) {
	t.Parallel()

	desc := grpc.StreamDesc{ClientStreams: true}

	_, outer, err := guard(t, ownerOfThings, nil).stream(t.Context(), desc, alice())
	if err != nil {
		t.Fatal(err)
	}

	if err := outer.CloseSend(); status.Code(err) != codes.PermissionDenied {
		t.Errorf("nobody owns it: %v", err)
	}

	_, outer, err = guard(t, `access: {public: true}`, nil).stream(t.Context(), desc, alice())
	if err != nil {
		t.Fatal(err)
	}

	if err := outer.CloseSend(); err != nil {
		t.Error(err)
	}
}
