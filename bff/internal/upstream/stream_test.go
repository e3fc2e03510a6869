package upstream_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

type watching = grpc.ServerStreamingServer[orderv1.WatchOrderResponse]

// gone ends a stream without a header.
func gone(watching) error { return status.Error(codes.Unavailable, "gone") }

// eventually waits until it holds, and fails after a long time.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()

	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}

	tb.Fatalf("still not: %s", what)
}

// A stream's Header returns no error either if there is none because the call has failed. It was once taken for an answer, with
// which a breaker that waited for one was closed.
func TestHeaderIsAnAnswerIfThereIsOne(t *testing.T) {
	t.Parallel()

	silence := func(stream watching) error {
		<-stream.Context().Done()

		return nil
	}

	tests := []struct {
		name  string
		watch func(stream watching) error
		// breaker and inFlight are what stands when the header has been read.
		breaker  breaker.State
		inFlight int
	}{
		{"with_metadata", func(stream watching) error {
			if err := stream.SendHeader(metadata.Pairs("a", "b")); err != nil {
				return err
			}

			return silence(stream)
		}, breaker.Closed, 0},
		{"without_metadata", func(stream watching) error {
			if err := stream.SendHeader(nil); err != nil {
				return err
			}

			return silence(stream)
		}, breaker.Closed, 0},
		{"before_a_message", func(stream watching) error {
			if err := stream.Send(&orderv1.WatchOrderResponse{}); err != nil {
				return err
			}

			return silence(stream)
		}, breaker.Closed, 0},
		{"there_is_none", gone, breaker.HalfOpen, 1},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			d, o := deps(t)
			pool := open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{start(t, backend{get: refuses, watch: tt.watch})}, Breaker: quick}}, d)
			orders := client(t, pool)

			trip(t, orders, o)
			eventually(t, "the breaker is half-open", func() bool { return pool.Statuses()[0].Breaker == "half-open" })

			stream, err := orders.WatchOrder(bounded(t), &orderv1.WatchOrderRequest{})
			if err != nil {
				t.Fatal(err)
			}

			md, err := stream.Header()
			if err != nil || (md != nil) != (tt.breaker == breaker.Closed) {
				t.Errorf("got the header %v, %v", md, err)
			}

			if got := pool.Statuses()[0]; got.Breaker != tt.breaker.String() || got.InFlight != tt.inFlight {
				t.Errorf("the breaker is %s with %d in flight, want %s with %d", got.Breaker, got.InFlight, tt.breaker, tt.inFlight)
			}

			if tt.breaker == breaker.Closed {
				return
			}

			if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
				t.Errorf("got %v", err)
			}

			want := []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen, breaker.Open}
			if diff := cmp.Diff(want, o.States()); diff != "" {
				t.Error(diff)
			}

			if got := pool.Statuses()[0].InFlight; got != 0 {
				t.Errorf("%d are in flight", got)
			}
		})
	}
}

func TestFailingStreamsOpenTheBreakerThoughTheirHeaderIsReadFirst(t *testing.T) {
	t.Parallel()

	settings := quick
	settings.OpenFor = time.Hour

	d, o := deps(t)
	pool := open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{start(t, backend{watch: gone})}, Breaker: settings}}, d)
	orders := client(t, pool)

	for range settings.MinRequests {
		stream, err := orders.WatchOrder(bounded(t), &orderv1.WatchOrderRequest{})
		if err != nil {
			t.Fatal(err)
		}

		if _, err := stream.Header(); err != nil {
			t.Error(err)
		}

		if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
	}

	if diff := cmp.Diff([]breaker.State{breaker.Closed, breaker.Open}, o.States()); diff != "" {
		t.Error(diff)
	}
}

// profiles takes pictures, or refuses them.
type profiles struct {
	profilev1.UnimplementedProfileServiceServer

	err error
}

func (p profiles) UploadAvatar(stream grpc.ClientStreamingServer[profilev1.UploadAvatarRequest, profilev1.Avatar]) error {
	if p.err != nil {
		return p.err
	}

	for {
		if _, err := stream.Recv(); err != nil {
			break
		}
	}

	if err := stream.SetHeader(metadata.Pairs("a", "b")); err != nil {
		return err
	}

	stream.SetTrailer(metadata.Pairs("c", "d"))

	return stream.SendAndClose(&profilev1.Avatar{})
}

// serveProfiles returns a client of the service behind a pool.
func serveProfiles(tb testing.TB, p profiles) (profilev1.ProfileServiceClient, *observer) {
	tb.Helper()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}

	server := grpc.NewServer()
	profilev1.RegisterProfileServiceServer(server, p)

	var wg sync.WaitGroup

	wg.Go(func() { _ = server.Serve(listener) })
	tb.Cleanup(func() {
		server.Stop()
		wg.Wait()
	})

	d, o := deps(tb)

	conn, err := open(tb, upstream.Config{Upstream: config.Upstream{Addresses: []string{listener.Addr().String()}, Breaker: patient}}, d).Conn("order")
	if err != nil {
		tb.Fatal(err)
	}

	return profilev1.NewProfileServiceClient(conn), o
}

// An upload has one answer, after which nobody reads on. It once ended with its context, as CANCELLED.
func TestUploadEndsWithItsAnswer(t *testing.T) {
	t.Parallel()

	for _, want := range []codes.Code{codes.OK, codes.InvalidArgument} {
		t.Run(want.String(), func(t *testing.T) {
			t.Parallel()

			service, o := serveProfiles(t, profiles{err: status.Error(want, "")})

			stream, err := service.UploadAvatar(bounded(t))
			if err != nil {
				t.Fatal(err)
			}

			// An error to send is that the call has ended; its answer says why.
			_ = stream.Send(&profilev1.UploadAvatarRequest{})

			if _, err := stream.CloseAndRecv(); status.Code(err) != want {
				t.Errorf("got %v", err)
			}

			expected := []sample{{"order", profilev1.ProfileService_UploadAvatar_FullMethodName, want}}
			if diff := cmp.Diff(expected, o.Calls()); diff != "" {
				t.Error(diff)
			}

			header, err := stream.Header()
			if want == codes.OK && (err != nil || header.Get("a")[0] != "b" || stream.Trailer().Get("c")[0] != "d") {
				t.Errorf("got the header %v, %v and the trailer %v", header, err, stream.Trailer())
			}
		})
	}
}
