// Package mock serves gRPC services without a backend: a gRPC server on loopback whose replies are made from the descriptors.
//
// A field of a reply has the value of the request's field of that name and type. Any other field has, in this order: an example,
// constant or permitted value of its buf.validate rules, a value that meets the rules, or a plain value of its type. Nothing is
// guessed from names, and nothing is random: the same request gets the same reply. A message with an IDENTIFIER (AIP-203) is the
// same in a list and where it is read. Methods with page_size and next_page_token (AIP-158) have pages.
//
// The server has no state: a resource that was created cannot be read afterwards. It is for development and tests, never for
// production.
package mock

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Options configure a Server.
type Options struct {
	// Services are full names, "order.v1.OrderService", of services whose descriptors are linked into the program.
	Services []string
	// Interval is the time between the messages of a stream. Default 300ms.
	Interval time.Duration
	// Fail is called if the server ends by itself. It may be nil.
	Fail func(error)
}

const (
	defaultInterval = 300 * time.Millisecond
	// streamed is how many messages a server stream has.
	streamed = 3
	// maxRequestBytes is more than the gateway allows.
	maxRequestBytes = 8 << 20
)

// Server is a gRPC server whose replies are made from descriptors.
type Server struct {
	grpc     *grpc.Server
	address  string
	served   chan struct{}
	methods  map[string]protoreflect.MethodDescriptor
	maker    *maker
	interval time.Duration
}

// Start serves on a free port of loopback until Close. The context is for starting only. The error names services that are unknown.
func Start(ctx context.Context, opts Options) (*Server, error) {
	made, err := newMaker(time.Now)
	if err != nil {
		return nil, err
	}

	s := &Server{
		served: make(chan struct{}), methods: map[string]protoreflect.MethodDescriptor{}, maker: made, interval: opts.Interval,
	}
	if s.interval == 0 {
		s.interval = defaultInterval
	}

	s.grpc = grpc.NewServer(grpc.MaxRecvMsgSize(maxRequestBytes), grpc.UnknownServiceHandler(s.handle))
	healthy := health.NewServer()
	healthpb.RegisterHealthServer(s.grpc, healthy)

	for _, name := range opts.Services {
		if err := s.add(name); err != nil {
			return nil, fmt.Errorf("mock %s: %w", name, err)
		}

		healthy.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}

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

func (s *Server) add(name string) error {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return err
	}

	service, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return errors.New("it is not a service")
	}

	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		s.methods["/"+name+"/"+string(method.Name())] = method
	}

	return nil
}

// Address returns the host and port.
func (s *Server) Address() string { return s.address }

// Close aborts all calls and waits for the server to end. It may be called again.
func (s *Server) Close() {
	s.grpc.Stop()
	<-s.served
}

// handle serves a call of any kind: a unary one is a stream of one message each way.
func (s *Server) handle(_ any, stream grpc.ServerStream) error {
	name, _ := grpc.MethodFromServerStream(stream)

	method := s.methods[name]
	if method == nil {
		return status.Errorf(codes.Unimplemented, "%s is not mocked", name)
	}

	var first protoreflect.Message

	for {
		request := dynamicpb.NewMessage(method.Input())

		switch err := stream.RecvMsg(request); {
		case errors.Is(err, io.EOF) && method.IsStreamingServer():
			return nil
		case errors.Is(err, io.EOF):
			return s.send(stream, method, first, 0)
		case err != nil:
			return err
		case !method.IsStreamingClient():
			return s.replies(stream, method, request)
		case method.IsStreamingServer():
			if err := s.send(stream, method, request, 0); err != nil {
				return err
			}
		case first == nil:
			first = request
		}
	}
}

// replies sends the reply to a single request, or the messages of a server stream. A file is one message.
func (s *Server) replies(stream grpc.ServerStream, method protoreflect.MethodDescriptor, request protoreflect.Message) error {
	if !method.IsStreamingServer() {
		// What was decoded can be encoded, except for required fields, which may be missing.
		encoded, _ := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(request.Interface())

		return s.send(stream, method, request, hash(encoded))
	}

	for n := range streamed {
		if n > 0 && method.Output().FullName() == httpBody {
			break
		}

		if n > 0 {
			select {
			case <-time.After(s.interval):
			case <-stream.Context().Done():
				return stream.Context().Err()
			}
		}

		if err := s.send(stream, method, request, n); err != nil {
			return err
		}
	}

	return nil
}

func (s *Server) send(stream grpc.ServerStream, method protoreflect.MethodDescriptor, request protoreflect.Message, n int) error {
	reply, err := s.maker.reply(method, request, n)
	if err != nil {
		return err
	}

	return stream.SendMsg(reply)
}

// hash is the same number below 1000 for the same bytes.
func hash(data []byte) int {
	const below = 1000

	h := fnv.New32a()
	_, _ = h.Write(data) // A hash never returns an error.

	return int(h.Sum32() % below)
}
