package inproc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// orders is a service whose methods are what the test says.
type orders struct {
	orderv1.UnimplementedOrderServiceServer

	get   func(ctx context.Context, req *orderv1.GetOrderRequest) (*orderv1.Order, error)
	watch func(req *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error
}

func (o orders) GetOrder(ctx context.Context, req *orderv1.GetOrderRequest) (*orderv1.Order, error) {
	return o.get(ctx, req)
}

func (o orders) WatchOrder(
	req *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse],
) error {
	return o.watch(req, stream)
}

// through are interceptors that change nothing.
func through(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	return invoke(ctx, method, req, reply, cc, opts...)
}

func throughStream(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
	open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return open(ctx, desc, cc, method, opts...)
}

func client(o orders) orderv1.OrderServiceClient {
	channel := inproc.New(inproc.Config{Unary: through, Stream: throughStream, Metadata: ownMetadata})
	orderv1.RegisterOrderServiceServer(channel, o)

	return orderv1.NewOrderServiceClient(channel)
}

// ownMetadata is what implementations get.
func ownMetadata(rec *reqinfo.Record) metadata.MD {
	return metadata.MD{"x-request-id": {rec.ID}, "x-twice": {"a", "b"}}
}

// answers are both ways to call: each reports the error of a call whose implementation does what work says.
func answers() map[string]func(ctx context.Context, work func(ctx context.Context) error) error {
	return map[string]func(ctx context.Context, work func(ctx context.Context) error) error{
		"unary": func(ctx context.Context, work func(ctx context.Context) error) error {
			c := client(orders{get: func(ctx context.Context, _ *orderv1.GetOrderRequest) (*orderv1.Order, error) {
				return &orderv1.Order{}, work(ctx)
			}})
			_, err := c.GetOrder(ctx, &orderv1.GetOrderRequest{})

			return err
		},
		"stream": func(ctx context.Context, work func(ctx context.Context) error) error {
			c := client(orders{watch: func(
				_ *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse],
			) error {
				return work(stream.Context())
			}})

			stream, err := c.WatchOrder(ctx, &orderv1.WatchOrderRequest{})
			if err != nil {
				return err
			}

			if _, err = stream.Recv(); errors.Is(err, io.EOF) {
				return nil
			}

			return err
		},
	}
}

func TestUnary(t *testing.T) {
	t.Parallel()

	c := client(orders{get: func(_ context.Context, req *orderv1.GetOrderRequest) (*orderv1.Order, error) {
		return &orderv1.Order{OrderId: req.GetOrderId()}, nil
	}})

	got, err := c.GetOrder(t.Context(), &orderv1.GetOrderRequest{OrderId: "ord_1"})
	if err != nil || got.GetOrderId() != "ord_1" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestServerStream(t *testing.T) {
	t.Parallel()

	c := client(orders{watch: func(
		req *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse],
	) error {
		for i := range int64(3) {
			if err := stream.Send(&orderv1.WatchOrderResponse{OrderId: req.GetOrderId(), Sequence: i}); err != nil {
				return err
			}
		}

		return status.Error(codes.Aborted, "enough")
	}})

	stream, err := c.WatchOrder(t.Context(), &orderv1.WatchOrderRequest{OrderId: "ord_1"})
	if err != nil {
		t.Fatal(err)
	}

	var got []string

	for {
		change, err := stream.Recv()
		if err != nil {
			got = append(got, err.Error())

			break
		}

		got = append(got, fmt.Sprintf("%s %d", change.GetOrderId(), change.GetSequence()))
	}

	want := []string{"ord_1 0", "ord_1 1", "ord_1 2", "rpc error: code = Aborted desc = enough"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEndOfTheCallersContextReachesBothSides(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		caller func(ctx context.Context) (context.Context, context.CancelFunc)
		cause  error
		want   codes.Code
	}{
		{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, context.DeadlineExceeded, codes.DeadlineExceeded},
		{"cancellation", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)

			return ctx, cancel
		}, context.Canceled, codes.Canceled},
	}

	for _, tt := range tests {
		for kind, call := range answers() {
			t.Run(tt.name+"_"+kind, func(t *testing.T) {
				t.Parallel()

				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := tt.caller(t.Context())
					defer cancel()

					start := time.Now()
					seen := make(chan error, 1)

					err := call(ctx, func(ctx context.Context) error {
						// What comes of it ends as well.
						ctx, cancel := context.WithTimeout(ctx, time.Hour)
						defer cancel()

						<-ctx.Done()
						seen <- ctx.Err()

						return ctx.Err()
					})

					if took := time.Since(start); took != time.Second || status.Code(err) != tt.want {
						t.Errorf("the caller got %v after %s", err, took)
					}

					if err := <-seen; !errors.Is(err, tt.cause) {
						t.Errorf("the implementation saw %v", err)
					}
				})
			})
		}
	}
}

func TestErrorsBecomeStatuses(t *testing.T) {
	t.Parallel()

	cause := errors.New("row 7 is locked")

	tests := []struct {
		name    string
		err     error
		code    codes.Code
		message string
	}{
		{"status_stays", status.Error(codes.NotFound, "no such order"), codes.NotFound, "no such order"},
		// status.FromError would put the text around it into the message, for the client to read.
		{
			"wrapped_status_keeps_its_inner_message",
			fmt.Errorf("branch user: %w", status.Error(codes.NotFound, "no such user")), codes.NotFound, "no such user",
		},
		{"cause_of_a_status_is_kept", &withCause{cause}, codes.Aborted, "try again"},
		{"deadline", fmt.Errorf("wait: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "wait: context deadline exceeded"},
		{"other_error_is_unknown", cause, codes.Unknown, cause.Error()},
	}

	for _, tt := range tests {
		for kind, call := range answers() {
			t.Run(tt.name+"_"+kind, func(t *testing.T) {
				t.Parallel()

				err := call(t.Context(), func(context.Context) error { return tt.err })

				st, ok := status.FromError(err)
				if !ok || st.Code() != tt.code || st.Message() != tt.message {
					t.Errorf("got %s %q, want %s %q", st.Code(), st.Message(), tt.code, tt.message)
				}

				if !errors.Is(err, tt.err) {
					t.Errorf("%v lost its cause on the way to the log", err)
				}
			})
		}
	}
}

// withCause has a status for the caller and a cause for the log.
type withCause struct{ error }

func (*withCause) GRPCStatus() *status.Status { return status.New(codes.Aborted, "try again") }

func TestPanicIsAnInternalErrorWithoutItsText(t *testing.T) {
	t.Parallel()

	for kind, call := range answers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()

			// If the panic got out, the whole test would end here.
			err := call(t.Context(), func(context.Context) error { panic("password is hunter2") })

			st, ok := status.FromError(err)
			if !ok || st.Code() != codes.Internal || strings.Contains(st.Message(), "hunter2") || strings.Contains(st.Message(), ".go:") {
				t.Errorf("the caller may read %v", st)
			}

			for _, want := range []string{"hunter2", "/order.v1.OrderService/", "inproc_test.go:"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the log does not say %q: %v", want, err)
				}
			}
		})
	}
}

type contextKey struct{}

func TestImplementationHasTheRecordAndNoOtherValueOfTheCaller(t *testing.T) {
	t.Parallel()

	for kind, call := range answers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()

			rec := &reqinfo.Record{ID: "req-1"}
			ctx := context.WithValue(reqinfo.NewContext(t.Context(), rec), contextKey{}, "caller's")

			err := call(ctx, func(ctx context.Context) error {
				if got := reqinfo.From(ctx); got != rec {
					t.Errorf("got the record %+v", got)
				}

				if got := ctx.Value(contextKey{}); got != nil {
					t.Errorf("got the value %v", got)
				}

				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMetadataArrivesAndIsNotPassedOn(t *testing.T) {
	t.Parallel()

	for kind, call := range answers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()

			ctx := metadata.AppendToOutgoingContext(t.Context(), "x-callers", "own")
			ctx = reqinfo.NewContext(ctx, &reqinfo.Record{ID: "req-1"})

			err := call(ctx, func(ctx context.Context) error {
				got, _ := metadata.FromIncomingContext(ctx)

				want := metadata.MD{"x-request-id": {"req-1"}, "x-twice": {"a", "b"}}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}

				if out, ok := metadata.FromOutgoingContext(ctx); ok {
					t.Errorf("the implementation's own calls would carry %v", out)
				}

				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// grpc-gateway's own way to call in process runs none.
func TestInterceptorsRunForCallsAndStreams(t *testing.T) {
	t.Parallel()

	var methods []string

	channel := inproc.New(inproc.Config{
		Unary: func(
			ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
			invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
		) error {
			methods = append(methods, method)

			return invoke(reqinfo.NewContext(ctx, &reqinfo.Record{ID: "intercepted"}), method, req, reply, cc, opts...)
		},
		Stream: func(
			_ context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, method string, _ grpc.Streamer, _ ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			methods = append(methods, method)

			return nil, status.Error(codes.PermissionDenied, "not by this door")
		},
	})
	orderv1.RegisterOrderServiceServer(channel, orders{
		get: func(ctx context.Context, _ *orderv1.GetOrderRequest) (*orderv1.Order, error) {
			return &orderv1.Order{OrderId: reqinfo.From(ctx).ID}, nil
		},
	})

	c := orderv1.NewOrderServiceClient(channel)

	if got, err := c.GetOrder(t.Context(), &orderv1.GetOrderRequest{}); err != nil || got.GetOrderId() != "intercepted" {
		t.Errorf("unary: got %v, %v", got, err)
	}

	if _, err := c.WatchOrder(t.Context(), &orderv1.WatchOrderRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("stream: got %v", err)
	}

	want := []string{"/order.v1.OrderService/GetOrder", "/order.v1.OrderService/WatchOrder"}
	if diff := cmp.Diff(want, methods); diff != "" {
		t.Error(diff)
	}
}

// Requests are copied, so that a caller and an implementation that keep theirs do not share them. Of an answer, only the message
// itself is the caller's own.
func TestMessagesAreNotShared(t *testing.T) {
	t.Parallel()

	kept := &orderv1.Order{OrderId: "ord_1", Items: []*orderv1.LineItem{{Sku: "a"}, {Sku: "b"}}}
	kept.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), 1))

	c := client(orders{get: func(_ context.Context, req *orderv1.GetOrderRequest) (*orderv1.Order, error) {
		req.OrderId = "changed by the implementation"

		return kept, nil
	}})

	req := &orderv1.GetOrderRequest{OrderId: "ord_1"}

	got, err := c.GetOrder(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(kept, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}

	got.OrderId, got.Items = "changed by the caller", append(got.Items[:1:1], &orderv1.LineItem{})

	if req.GetOrderId() != "ord_1" || kept.GetOrderId() != "ord_1" || kept.GetItems()[1].GetSku() != "b" {
		t.Errorf("request is %v, answer is %v", req, kept)
	}
}

func TestReplyThatWasFilledBeforeHoldsTheAnswerAlone(t *testing.T) {
	t.Parallel()

	answer := &orderv1.Order{OrderId: "ord_1", Items: []*orderv1.LineItem{{Sku: "a"}}}
	channel := inproc.New(inproc.Config{Unary: through, Stream: throughStream, Metadata: ownMetadata})
	orderv1.RegisterOrderServiceServer(channel, orders{
		get: func(context.Context, *orderv1.GetOrderRequest) (*orderv1.Order, error) { return answer, nil },
	})

	reply := &orderv1.Order{UserId: "usr_old", Items: []*orderv1.LineItem{{}, {}}}
	if err := channel.Invoke(t.Context(), orderv1.OrderService_GetOrder_FullMethodName, &orderv1.GetOrderRequest{}, reply); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(answer, reply, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestHeaderAndTrailer(t *testing.T) {
	t.Parallel()

	late := make(chan error, 1)
	c := client(orders{get: func(ctx context.Context, _ *orderv1.GetOrderRequest) (*orderv1.Order, error) {
		if err := errors.Join(
			grpc.SetHeader(ctx, metadata.Pairs("a", "1")), grpc.SendHeader(ctx, metadata.Pairs("a", "2")),
			grpc.SetTrailer(ctx, metadata.Pairs("b", "3")),
		); err != nil {
			return nil, err
		}

		late <- grpc.SetHeader(ctx, metadata.Pairs("a", "too late"))

		return &orderv1.Order{}, status.Error(codes.NotFound, "no such order")
	}})

	var (
		header, trailer metadata.MD
		from            peer.Peer
	)

	_, err := c.GetOrder(t.Context(), &orderv1.GetOrderRequest{}, grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&from))
	if status.Code(err) != codes.NotFound || <-late == nil {
		t.Errorf("got %v", err)
	}

	if diff := cmp.Diff([]metadata.MD{{"a": {"1", "2"}}, {"b": {"3"}}}, []metadata.MD{header, trailer}); diff != "" {
		t.Error(diff)
	}

	if from.Addr == nil || from.Addr.Network() != "inproc" {
		t.Errorf("peer = %v", from)
	}
}

func TestGoexitIsAnError(t *testing.T) {
	t.Parallel()

	c := client(orders{get: func(context.Context, *orderv1.GetOrderRequest) (*orderv1.Order, error) {
		runtime.Goexit()

		return &orderv1.Order{}, nil
	}})

	if _, err := c.GetOrder(t.Context(), &orderv1.GetOrderRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("got %v", err)
	}
}

// An implementation that returns neither an answer nor an error is at fault.
func TestNoAnswerIsAnError(t *testing.T) {
	t.Parallel()

	c := client(orders{get: func(context.Context, *orderv1.GetOrderRequest) (*orderv1.Order, error) {
		return nil, nil //nolint:nilnil // That is what is tested.
	}})

	if _, err := c.GetOrder(t.Context(), &orderv1.GetOrderRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("got %v", err)
	}
}

func TestServes(t *testing.T) {
	t.Parallel()

	channel := inproc.New(inproc.Config{Unary: through, Stream: throughStream, Metadata: ownMetadata})
	if channel.Serves("order.v1.OrderService") {
		t.Error("serves what nobody registered")
	}

	orderv1.RegisterOrderServiceServer(channel, orders{})

	if !channel.Serves("order.v1.OrderService") || channel.Serves("user.v1.UserService") {
		t.Error("does not tell what is registered")
	}

	_, err := orderv1.NewOrderServiceClient(channel).CreateOrder(t.Context(), &orderv1.CreateOrderRequest{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
}
