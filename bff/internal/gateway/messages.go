package gateway

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/gateway/stream"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// messages is the body of a request that is a stream of messages. Generated handlers decode one message after the other from it,
// bound and checked.
type messages struct {
	exchange *exchange
	source   stream.Source
	// count is how many messages have been read.
	count int
}

func newMessages(x *exchange) *messages {
	if x.route.binding.IsFile() {
		return &messages{exchange: x, source: stream.Files(x.request, x.route.binding.SetFile)}
	}

	return &messages{exchange: x, source: stream.Documents(x.request, reqinfo.From(x.Context), x.decode)}
}

// Decode reads the next message. The error is io.EOF after the last; any other ends the call, even if generated code treats it as
// the end.
func (s *messages) Decode(v any) error {
	err := s.decode(v)
	if err != nil && !errors.Is(err, io.EOF) {
		s.exchange.fail(err)
	}

	return err
}

func (s *messages) decode(v any) error {
	message, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is not a message", v)
	}

	x := s.exchange
	// The message before has been sent.
	reqinfo.From(x.Context).Release()

	if err := x.route.binding.SetPath(pathParams(x.request), message.ProtoReflect()); err != nil {
		return invalid(err)
	}

	var faults binding.Faults

	err := s.source.Next(message)
	if errors.Is(err, io.EOF) {
		if s.count == 0 {
			// Query and headers are checked even without messages.
			if err := x.bindParameters(message, binding.Faults{}); err != nil {
				return err
			}
		}

		return io.EOF
	}

	if err := faults.Add(err); err != nil {
		return err
	}

	for i := range faults.List {
		if !x.route.binding.IsFile() {
			faults.List[i].Name = numbered(s.count, faults.List[i].Name)
		}
	}

	s.count++

	if err := x.bindRest(message, faults); err != nil {
		return err
	}

	return x.check(x.request.Context(), message)
}

// numbered returns the JSON path of a place in one of many messages.
func numbered(index int, path string) string {
	path = strings.TrimSuffix(fmt.Sprintf("[%d].%s", index, path), ".")
	return strings.Replace(path, "].[", "][", 1)
}

// Read implements io.Reader. It is not called.
func (s *messages) Read([]byte) (int, error) { return 0, io.EOF }

// Close leaves the client's body to the server.
func (s *messages) Close() error { return nil }
