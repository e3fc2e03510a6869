package schema

import "google.golang.org/protobuf/reflect/protoreflect"

// RequestMessages returns the messages that requests of the methods are made of, each once: the requests themselves and the
// messages in them, at any depth.
func RequestMessages(methods ...protoreflect.MethodDescriptor) []protoreflect.MessageDescriptor {
	var (
		all  []protoreflect.MessageDescriptor
		add  func(protoreflect.MessageDescriptor)
		seen = map[protoreflect.FullName]bool{}
	)

	add = func(message protoreflect.MessageDescriptor) {
		if seen[message.FullName()] {
			return
		}

		seen[message.FullName()] = true
		all = append(all, message)

		for i := range message.Fields().Len() {
			field := message.Fields().Get(i)
			if field.IsMap() {
				field = field.MapValue()
			}

			if inner := field.Message(); inner != nil {
				add(inner)
			}
		}
	}

	for _, method := range methods {
		add(method.Input())
	}

	return all
}
