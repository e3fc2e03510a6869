package mock

import (
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Examples makes requests and replies for descriptions of methods. They depend on the descriptors only. It is safe for concurrent
// use.
type Examples struct{ maker *maker }

// NewExamples makes Examples. The error is protovalidate's.
func NewExamples() (*Examples, error) {
	made, err := newMaker(past)

	return &Examples{maker: made}, err
}

// Of returns a request of a method that meets its rules, and the reply to it. A page has one item. Either is nil if it cannot be
// made: no value that meets the rules was found, a message requires one of its own type, or it has no form in JSON.
func (e *Examples) Of(method protoreflect.MethodDescriptor) (request, reply proto.Message) {
	// Rules that do not compile, such as those of another type than the field's, are reported where they are enforced.
	defer func() {
		if recover() != nil {
			request, reply = nil, nil
		}
	}()

	made, m := dynamicpb.NewMessage(method.Input()), e.maker.another()
	m.message(made, nil, 0)

	if pagedField(method) != nil {
		made.Clear(made.Descriptor().Fields().ByName("page_token"))
	}

	if m.valid(made, nil) && writable(made) {
		request = made
	}

	reply, err := e.maker.reply(method, made, 0)
	if err != nil || !writable(reply) {
		return request, nil
	}

	return request, reply
}

// writable reports whether a message has a form in JSON.
func writable(m proto.Message) bool {
	_, err := protojson.Marshal(m)

	return err == nil
}
