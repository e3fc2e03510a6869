package batch_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg/batch"
)

// upload is a stream whose only message changes something.
type upload struct{ grpc.ClientStream }

func (upload) RecvMsg(any) error { return nil }

// Once, what was read before a stream that changes something was also what was read after it.
func TestReadsAfterAStreamAreNewOnes(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBackend(), open(t, false)

		read := func() {
			if _, err := b.get(ctx, "Read", "a"); err != nil {
				t.Error(err)
			}
		}

		read()

		stream, err := batch.Stream(ctx, &grpc.StreamDesc{ClientStreams: true}, nil, "/batchtest.v1.Shop/Upload",
			func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, ...grpc.CallOption) (grpc.ClientStream, error) {
				return upload{}, nil
			})
		if err != nil {
			t.Fatal(err)
		}

		read()

		if err := stream.RecvMsg(nil); err != nil {
			t.Error(err)
		}

		read()

		if got := b.made(); !slices.Equal(got, []string{"Read /a", "Read /a", "Read /a"}) {
			t.Errorf("got %q", got)
		}
	})
}

// Once, an item whose call had less time than the item itself went on without its slot.
func TestBoundOfAListHoldsAfterACallWithoutTime(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBackend(), open(t, false)

		var atOnce, most atomic.Int32

		err := composite.Each(ctx, []string{"a", "b", "c", "d"}, 1, func(ctx context.Context, _ int, id string) error {
			short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			defer cancel()

			_, err := b.get(short, "Get", id)

			most.Store(max(most.Load(), atOnce.Add(1)))
			time.Sleep(time.Second)
			atOnce.Add(-1)

			if err == nil {
				t.Errorf("%s has a reply after 10 ms", id)
			}

			return nil
		})
		if err != nil || most.Load() != 1 {
			t.Errorf("got %v; %d at once", err, most.Load())
		}
	})
}
