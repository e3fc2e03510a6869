package mock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Options say what to answer for.
type Options struct {
	// Services are full names, "order.v1.OrderService", of services whose descriptors are linked into the program.
	Services []string
	// Interval is the time between the messages of a stream. Default 300ms.
	Interval time.Duration
	// Today is where time ends: nothing was created after it. Default: the beginning of the present day, UTC, so that answers stay
	// the same for a while.
	Today time.Time
	// Fail is called when the server ended by itself. It may be nil.
	Fail func(error)
}

const (
	defaultInterval = 300 * time.Millisecond
	// streamed is how many messages a stream has.
	streamed = 3
	// maxMessageBytes is for one request, above what the gateway lets through.
	maxMessageBytes = 8 << 20
	// subjectKey is the metadata that names the caller.
	subjectKey = "x-portico-subject"
)

// Server is a gRPC server whose replies are made from descriptors.
type Server struct {
	grpc    *grpc.Server
	address string
	served  chan struct{}
}

// Start serves on a free port of loopback until Close. The context is for starting alone. The error names services that are not
// known.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if opts.Interval == 0 {
		opts.Interval = defaultInterval
	}

	if opts.Today.IsZero() {
		opts.Today = time.Now().UTC().Truncate(day)
	}

	made, err := newAnswers(opts.Today)
	if err != nil {
		return nil, err
	}

	s := &Server{served: make(chan struct{}), grpc: grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessageBytes),
	)}
	healthy := health.NewServer()

	for _, name := range slices.Compact(slices.Sorted(slices.Values(opts.Services))) {
		desc, err := serviceDesc(name, made, opts.Interval)
		if err != nil {
			return nil, err
		}

		s.grpc.RegisterService(desc, nil)
		healthy.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}

	healthpb.RegisterHealthServer(s.grpc, healthy)

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for mocks: %w", err)
	}

	s.address = listener.Addr().String()

	go func() {
		defer close(s.served)

		if err := s.grpc.Serve(listener); err != nil && opts.Fail != nil {
			opts.Fail(fmt.Errorf("serve mocks: %w", err))
		}
	}()

	return s, nil
}

// Address is where it listens, host and port.
func (s *Server) Address() string { return s.address }

// Close breaks off what is answered and waits for the end. Calling it again does nothing.
func (s *Server) Close() {
	s.grpc.Stop()
	<-s.served
}

// serviceDesc is what generated code would have of the service.
func serviceDesc(name string, made *answers, interval time.Duration) (*grpc.ServiceDesc, error) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("mock %s: %w", name, err)
	}

	service, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("mock %s: it is not a service", name)
	}

	desc := &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil), Metadata: service.ParentFile().Path()}

	for i := range service.Methods().Len() {
		method := call{descriptor: service.Methods().Get(i), answers: made, interval: interval}

		if method.descriptor.IsStreamingClient() || method.descriptor.IsStreamingServer() {
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName: string(method.descriptor.Name()), Handler: method.stream,
				ClientStreams: method.descriptor.IsStreamingClient(), ServerStreams: method.descriptor.IsStreamingServer(),
			})
		} else {
			desc.Methods = append(desc.Methods, grpc.MethodDesc{
				MethodName: string(method.descriptor.Name()), Handler: method.unary,
			})
		}
	}

	return desc, nil
}

// call answers one method.
type call struct {
	descriptor protoreflect.MethodDescriptor
	answers    *answers
	interval   time.Duration
}

func (c call) unary(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := newMessage(c.descriptor, c.descriptor.Input())
	if err := decode(request.Interface()); err != nil {
		return nil, err
	}

	return c.answers.answer(c.descriptor, asked{request: request, caller: caller(ctx)}, 0)
}

func (c call) stream(_ any, stream grpc.ServerStream) error {
	switch {
	case !c.descriptor.IsStreamingClient():
		return c.tell(stream)
	case !c.descriptor.IsStreamingServer():
		return c.collect(stream)
	default:
		return c.talk(stream)
	}
}

// tell answers one request with a few messages; a file is one.
func (c call) tell(stream grpc.ServerStream) error {
	k := asked{caller: caller(stream.Context())}

	if err := c.receive(stream, &k); err != nil {
		return err
	}

	steps := streamed
	if c.descriptor.Output().FullName() == httpBody {
		steps = 1
	}

	for step := 1; step <= steps; step++ {
		if step > 1 && !wait(stream.Context(), c.interval) {
			return stream.Context().Err()
		}

		if err := c.send(stream, k, step); err != nil {
			return err
		}
	}

	return nil
}

// collect receives all requests and answers once, to the first.
func (c call) collect(stream grpc.ServerStream) error {
	k := asked{caller: caller(stream.Context())}

	for {
		switch err := c.receive(stream, &k); {
		case errors.Is(err, io.EOF):
			return c.send(stream, k, 0)
		case err != nil:
			return err
		}
	}
}

// talk answers each request with a message.
func (c call) talk(stream grpc.ServerStream) error {
	for {
		k := asked{caller: caller(stream.Context())}

		switch err := c.receive(stream, &k); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}

		if err := c.send(stream, k, 0); err != nil {
			return err
		}
	}
}

func (c call) receive(stream grpc.ServerStream, k *asked) error {
	request := newMessage(c.descriptor, c.descriptor.Input())
	if err := stream.RecvMsg(request.Interface()); err != nil {
		return err
	}

	if k.request == nil {
		k.request = request
	}

	k.uploaded.add(request)

	return nil
}

func (c call) send(stream grpc.ServerStream, k asked, step int) error {
	answer, err := c.answers.answer(c.descriptor, k, step)
	if err != nil {
		return err
	}

	return stream.SendMsg(answer)
}

// wait reports whether the time passed before the call ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// caller is the subject of the caller of the gateway; empty if there is none.
func caller(ctx context.Context) string {
	return strings.Join(metadata.ValueFromIncomingContext(ctx, subjectKey), "")
}
