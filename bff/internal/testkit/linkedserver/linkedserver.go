// Package linkedserver serves every method of the services that are linked into a test: it records the calls, and replies with the
// example of package mock. It is for tests alone.
package linkedserver

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/mock"
)

// Server is a gRPC server on loopback. It is safe for concurrent use.
type Server struct {
	address  string
	examples *mock.Examples

	mu      sync.Mutex
	answers map[string]proto.Message
	calls   []Call
}

// Call is a call that was received.
type Call struct {
	// Method is the full method, "/user.v1.UserService/GetUser".
	Method string
	// Requests are its request messages.
	Requests []proto.Message
}

// Start serves until the end of the test.
func Start(tb testing.TB) *Server {
	tb.Helper()

	examples, err := mock.NewExamples()
	if err != nil {
		tb.Fatal(err)
	}

	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}

	s := &Server{address: listener.Addr().String(), examples: examples, answers: map[string]proto.Message{}}
	server := grpc.NewServer(grpc.UnknownServiceHandler(s.handle))
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	tb.Cleanup(server.Stop)

	return s
}

// Address is where it listens, host and port.
func (s *Server) Address() string { return s.address }

// Taken returns the calls since it was last called.
func (s *Server) Taken() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()

	calls := s.calls
	s.calls = nil

	return calls
}

// Answer is the reply of a method, empty if there is no example; a stream has one.
func (s *Server) Answer(method protoreflect.MethodDescriptor) proto.Message {
	s.mu.Lock()
	defer s.mu.Unlock()

	name := string(method.FullName())
	if answer := s.answers[name]; answer != nil {
		return answer
	}

	_, answer := s.examples.Of(method)
	if answer == nil {
		answer = NewMessage(method.Output())
	}

	s.answers[name] = answer

	return answer
}

func (s *Server) handle(_ any, stream grpc.ServerStream) error {
	call := Call{}
	call.Method, _ = grpc.MethodFromServerStream(stream)

	method, ok := schema.LinkedMethod(call.Method)
	if !ok {
		return status.Errorf(codes.Unimplemented, "%s is no method", call.Method)
	}

	for {
		request := NewMessage(method.Input())
		if err := stream.RecvMsg(request); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}

		call.Requests = append(call.Requests, request)
	}

	s.mu.Lock()
	s.calls = append(s.calls, call)
	s.mu.Unlock()

	return stream.SendMsg(s.Answer(method))
}

// NewMessage is an empty message, of the linked type if there is one.
func NewMessage(of protoreflect.MessageDescriptor) proto.Message {
	if found, err := protoregistry.GlobalTypes.FindMessageByName(of.FullName()); err == nil && found.Descriptor() == of {
		return found.New().Interface()
	}

	return dynamicpb.NewMessage(of)
}
