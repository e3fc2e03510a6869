package upstream

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// programStream runs before the interceptors of an embedding program. Generated code uses streams on goroutines where nothing else
// recovers from a panic, so a panic of such an interceptor becomes an error of the call.
func programStream(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, rpc string, open grpc.Streamer, opts ...grpc.CallOption,
) (stream grpc.ClientStream, err error) {
	s := &recoveringStream{}
	outgoing, cancel := context.WithCancel(ctx)
	s.cancel = cancel

	if err := s.do(func() (err error) {
		s.ClientStream, err = open(outgoing, desc, cc, rpc, opts...)
		return err
	}); err != nil {
		s.cancel()
		return nil, err
	}

	return s, nil
}

// recoveringStream is a stream of an embedding program's interceptors. Its context ends with that of the call.
type recoveringStream struct {
	grpc.ClientStream

	cancel context.CancelFunc
	// fault is the first panic, as an error. Nil: there was none.
	fault atomic.Pointer[error]
}

// do makes an error of a panic, and ends the call, because the other direction would wait for this one. The stack is for the log.
func (s *recoveringStream) do(use func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = status.Error(codes.Internal, fmt.Sprintf("panic in an interceptor: %v\n%s", v, debug.Stack()))
			s.fault.CompareAndSwap(nil, &err)
			s.cancel()
		}
	}()

	err = use()

	if fault := s.fault.Load(); fault != nil && err != nil {
		return *fault
	}

	return err
}

func (s *recoveringStream) Header() (md metadata.MD, err error) {
	err = s.do(func() (err error) {
		md, err = s.ClientStream.Header()
		return err
	})

	return md, err
}

func (s *recoveringStream) CloseSend() error { return s.do(s.ClientStream.CloseSend) }

func (s *recoveringStream) SendMsg(m any) error {
	return s.do(func() error { return s.ClientStream.SendMsg(m) })
}

func (s *recoveringStream) RecvMsg(m any) error {
	return s.do(func() error { return s.ClientStream.RecvMsg(m) })
}
