package mock

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Examples makes up requests and answers for descriptions of methods. They are the same each time. It is safe for concurrent use.
type Examples struct{ answers *answers }

// NewExamples makes Examples. The error tells that protovalidate cannot be used.
func NewExamples() (*Examples, error) {
	// Examples are committed, so that they have a day of their own.
	made, err := newAnswers(time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC))
	if err != nil {
		return nil, err
	}

	return &Examples{answers: made}, nil
}

// Of is a request of a method, which keeps its rules, and the answer to it. Of pages there is one item.
func (e *Examples) Of(method protoreflect.MethodDescriptor) (request, answer proto.Message, err error) {
	sc := scope{
		seed:   seedOf(method, nil),
		window: window{e.answers.maker.today.Add(-year), e.answers.maker.today},
	}

	request, err = e.answers.best(asked{}, func(m *maker, attempt int) (protoreflect.Message, error) {
		msg := newMessage(method, method.Input())
		sc := sc
		sc.seed = sc.seed.at(-attempt)
		m.fill(msg, sc)

		if size := msg.Descriptor().Fields().ByName("page_size"); size != nil && pagedField(method) != nil {
			one := protoreflect.ValueOfInt32(1)
			if size.Kind() == protoreflect.Int64Kind {
				one = protoreflect.ValueOfInt64(1)
			}

			msg.Set(size, one)
		}

		// A page is the first one, and what is somebody's is the caller's, so that whoever sends the example may.
		for _, name := range append([]protoreflect.Name{"page_token"}, owners()...) {
			if field := msg.Descriptor().Fields().ByName(name); field != nil {
				msg.Clear(field)
			}
		}

		return msg, nil
	})
	if err != nil {
		return nil, nil, err
	}

	answer, err = e.answers.answer(method, asked{request: request.ProtoReflect()}, 0, 0)

	return request, answer, err
}
