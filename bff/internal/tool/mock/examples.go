package mock

import (
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Examples makes requests and replies for descriptions of methods. They are the same each time. It is safe for concurrent use.
type Examples struct{ answers *answers }

// NewExamples makes Examples. The error says that protovalidate cannot be used.
func NewExamples() (*Examples, error) {
	// Examples are committed, so that they have a day of their own.
	made, err := newAnswers(time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC))
	if err != nil {
		return nil, err
	}

	made.maker.committed = true

	return &Examples{answers: made}, nil
}

// Of is a request of a method, which keeps its rules, and the response to it. Of pages there is one item. Either is nil if it
// cannot be made: because a message needs another one of itself, no value that keeps the rules was found, or it has no form in
// JSON.
func (e *Examples) Of(method protoreflect.MethodDescriptor) (request, answer proto.Message) {
	// Rules that do not compile, such as those of another type than the field's, are reported where they are enforced.
	defer func() {
		if recover() != nil {
			request, answer = nil, nil
		}
	}()

	made, keeps := e.request(method)
	if made == nil {
		return nil, nil
	}

	if keeps && writable(made) {
		request = made
	}

	answer, err := e.answers.answer(method, asked{request: made.ProtoReflect()}, 0)
	if err != nil || !writable(answer) {
		return request, nil
	}

	return request, answer
}

// request is the request of a method, and whether it keeps its rules.
func (e *Examples) request(method protoreflect.MethodDescriptor) (proto.Message, bool) {
	sc := scope{seed: seedOf(method, nil)}

	made, err := e.answers.best(asked{}, func(m *maker, attempt int) (protoreflect.Message, error) {
		msg := newMessage(method, method.Input())
		sc := sc
		sc.seed = sc.seed.at(-attempt)
		m.message(msg, nil, value{seed: sc.seed}, sc)

		if size := msg.Descriptor().Fields().ByName("page_size"); size != nil && pagedField(method) != nil {
			one := protoreflect.ValueOfInt32(1)
			if size.Kind() == protoreflect.Int64Kind {
				one = protoreflect.ValueOfInt64(1)
			}

			msg.Set(size, one)
		}

		// A page is the first one, and what is somebody's is the caller's, so that anyone who sends the example may.
		for _, name := range append([]protoreflect.Name{"page_token"}, owners()...) {
			field := msg.Descriptor().Fields().ByName(name)

			switch {
			case field == nil:
			case field.Cardinality() != protoreflect.Required:
				msg.Clear(field)
			case field.Kind() == protoreflect.StringKind:
				msg.Set(field, protoreflect.ValueOfString(""))
			}
		}

		return msg, nil
	})
	if err != nil {
		return nil, false
	}

	return made, e.answers.broken(made) == 0
}

// writable reports whether a message has a form in JSON.
func writable(m proto.Message) bool {
	_, err := protojson.Marshal(m)

	return err == nil
}
