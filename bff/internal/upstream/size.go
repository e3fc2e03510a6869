package upstream

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// grpcMaxReceiveBytes is the limit of gRPC, unless an option says otherwise.
const grpcMaxReceiveBytes = 4 << 20

// sizeError is the error of a call with a message that one side did not accept. gRPC uses RESOURCE_EXHAUSTED, which would tell the
// client that it has used up a quota. It wraps the problem that the client may read, for callers in the gateway it is a status with
// the same code, and its text is for the log.
type sizeError struct {
	text    string
	problem *problem.Problem
	// refusedReply reports that the backend has replied, and the gateway did not accept it.
	refusedReply bool
}

func (e *sizeError) Error() string { return e.text }

func (e *sizeError) Unwrap() error { return e.problem }

// RefusedReply reports whether the gateway itself has refused what the backend has replied.
func (e *sizeError) RefusedReply() bool { return e.refusedReply }

func (e *sizeError) GRPCStatus() *status.Status {
	return status.New(e.problem.GRPCCode(), e.problem.Detail)
}

// explainSize returns an error that says what was too large, if that is why a call ended: the reply, for this gateway, or the
// request, for the backend. All other errors are returned as they are. sent reports whether a message of that size was sent, and
// replied, whether the backend may have begun to reply; they are only called if a message was too large.
func (u *upstream) explainSize(rpc string, err error, sent func(size int) bool, replied func() bool) error {
	if status.Code(err) != codes.ResourceExhausted {
		return err
	}

	text := status.Convert(err).Message()

	switch size, limit := oversize(text); {
	case size > 0 && sent(size) && (limit != u.maxReceive || !replied()):
		return &sizeError{
			text: fmt.Sprintf("upstream %s: the request of %s has %d bytes, and the backend accepts %d: %s",
				u.name, rpc, size, limit, text),
			problem: problem.WithStatus(http.StatusRequestEntityTooLarge, codes.OutOfRange,
				"the request is larger than the service accepts"),
		}
	case limit == u.maxReceive && size != 0:
		return &sizeError{
			text: fmt.Sprintf("upstream %s: the reply of %s is larger than upstreams.%s.max_receive_bytes (%d): %s",
				u.name, rpc, u.name, limit, text),
			problem: problem.New(codes.Internal, "the reply of a service is larger than the gateway accepts"),
			// A backend that passes on the error of a call of its own sends no header.
			refusedReply: replied(),
		}
	default:
		return err
	}
}

// sentSizes has the sizes of messages that were larger than all before them: a backend refuses the first that is over its limit. It
// is safe for concurrent use, as sending and receiving on a stream is.
type sentSizes struct {
	mu        sync.Mutex
	ascending []int
}

func (s *sentSizes) add(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if n := len(s.ascending); n == 0 || size > s.ascending[n-1] {
		s.ascending = append(s.ascending, size)
	}
}

func (s *sentSizes) has(size int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Contains(s.ascending, size)
}

// oversize returns the size and the limit of a message that was too large, which gRPC reports only in the message of the status:
// that of Go, of C++ and its wrappers, of Node, and of Java. The size of a compressed message is not known (-1). Zero: it is
// another error.
func oversize(text string) (size, limit int) {
	text = strings.TrimPrefix(text, "grpc: ")

	for _, format := range []string{
		"received message larger than max (%d vs. %d)", "Received message larger than max (%d vs. %d)",
		"message after decompression larger than max (%d vs. %d)",
	} {
		if n, _ := fmt.Sscanf(text, format, &size, &limit); n == 2 {
			return size, limit
		}
	}

	if n, _ := fmt.Sscanf(text, "gRPC message exceeds maximum size %d: %d", &limit, &size); n == 2 {
		return size, limit
	}

	if n, _ := fmt.Sscanf(text, "received message after decompression larger than max %d", &limit); n == 1 {
		return -1, limit
	}

	return 0, 0
}

// encodedSize is the size of a message on the wire; 0 if it is none.
func encodedSize(req any) int {
	message, ok := req.(proto.Message)
	if !ok {
		return 0
	}

	return proto.Size(message)
}
