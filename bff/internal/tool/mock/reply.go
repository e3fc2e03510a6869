package mock

import (
	"iter"
	"slices"
	"strconv"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// reply makes the n-th reply to a request, which is nil if the client sent none.
func (m *maker) reply(method protoreflect.MethodDescriptor, request protoreflect.Message, n int) (proto.Message, error) {
	m, reply := m.another(), dynamicpb.NewMessage(method.Output())

	if request != nil {
		m.echo(reply, request, nil)
	}

	m.message(reply, nil, n)

	if list := pagedField(method); list != nil && request != nil {
		if err := m.page(reply, list, request); err != nil {
			return nil, err
		}
	}

	return reply, nil
}

// echo sets the fields that the request has, too, and those of a message of the reply's type in the request: the resource to create
// or to update. It leaves out one field, which may be nil, and values that break the rules of the reply.
func (m *maker) echo(reply, request protoreflect.Message, except protoreflect.FieldDescriptor) {
	sources := []protoreflect.Message{request}

	for given, value := range inOrder(request) {
		if !given.IsList() && !given.IsMap() && given.Message() == reply.Descriptor() {
			sources = append(sources, value.Message())
		}
	}

	for _, source := range sources {
		for given, value := range inOrder(source) {
			field := reply.Descriptor().Fields().ByName(given.Name())
			if field == nil || field == except || reply.Has(field) || !sameType(field, given) || otherOfOneof(reply, field) {
				continue
			}

			if put(reply, field, value); !m.valid(reply, field) {
				reply.Clear(field)
			}
		}
	}
}

// inOrder yields the fields that are set in the order of their declaration, so that the same request gets the same reply.
func inOrder(m protoreflect.Message) iter.Seq2[protoreflect.FieldDescriptor, protoreflect.Value] {
	return func(yield func(protoreflect.FieldDescriptor, protoreflect.Value) bool) {
		for fields, i := m.Descriptor().Fields(), 0; i < fields.Len(); i++ {
			if field := fields.Get(i); m.Has(field) && !yield(field, m.Get(field)) {
				return
			}
		}
	}
}

// sameType reports whether values of one field can be values of the other.
func sameType(a, b protoreflect.FieldDescriptor) bool {
	if a.IsMap() && b.IsMap() {
		return sameType(a.MapKey(), b.MapKey()) && sameType(a.MapValue(), b.MapValue())
	}

	return a.Kind() == b.Kind() && a.IsList() == b.IsList() && a.Message() == b.Message() && a.Enum() == b.Enum()
}

// otherOfOneof reports whether another field of the same oneof is set.
func otherOfOneof(msg protoreflect.Message, field protoreflect.FieldDescriptor) bool {
	return field.ContainingOneof() != nil && msg.WhichOneof(field.ContainingOneof()) != nil
}

// put sets a field to the value of a field of another message. Lists and maps belong to one field, so their elements are copied.
func put(msg protoreflect.Message, field protoreflect.FieldDescriptor, value protoreflect.Value) {
	switch {
	case field.IsList():
		list := msg.Mutable(field).List()
		for i := range value.List().Len() {
			list.Append(value.List().Get(i))
		}
	case field.IsMap():
		value.Map().Range(func(key protoreflect.MapKey, entry protoreflect.Value) bool {
			msg.Mutable(field).Map().Set(key, entry)

			return true
		})
	default:
		msg.Set(field, value)
	}
}

// pagedField returns what a method has pages of (AIP-158): the first list of messages, if there are a page size and a token. It
// returns nil if the method has no pages.
func pagedField(method protoreflect.MethodDescriptor) protoreflect.FieldDescriptor {
	fields, asked := method.Output().Fields(), method.Input().Fields()

	if !isString(fields.ByName("next_page_token")) || !isString(asked.ByName("page_token")) ||
		!isInteger(asked.ByName("page_size")) {
		return nil
	}

	for i := range fields.Len() {
		if field := fields.Get(i); field.IsList() && field.Message() != nil {
			return field
		}
	}

	return nil
}

func isString(field protoreflect.FieldDescriptor) bool {
	return field != nil && field.Kind() == protoreflect.StringKind && !field.IsList()
}

func isInteger(field protoreflect.FieldDescriptor) bool {
	return field != nil && !field.IsList() && (field.Kind() == protoreflect.Int32Kind || field.Kind() == protoreflect.Int64Kind)
}

const (
	// listed is how many items a list has over all pages.
	listed = 25
	// defaultPage is the size of a page if the request has none.
	defaultPage = 20
)

// page sets the items of the page that the request asks for, the token of the next page, and total_size if there is one. A token is
// the number of items before the page.
func (m *maker) page(reply protoreflect.Message, list protoreflect.FieldDescriptor, request protoreflect.Message) error {
	asked, fields := request.Descriptor().Fields(), reply.Descriptor().Fields()
	from := 0

	if token := request.Get(asked.ByName("page_token")).String(); token != "" {
		after, err := strconv.ParseUint(token, 10, 16)
		if err != nil {
			return status.Error(codes.InvalidArgument, "page_token is not from this service")
		}

		from = int(after)
	}

	size := int(request.Get(asked.ByName("page_size")).Int())
	if size <= 0 {
		size = defaultPage
	}

	items := m.items(reply, list, request)
	from = min(from, len(items))
	to := min(from+min(size, typed(rulesOf(list)).size("max_items", maxSize)), len(items))

	reply.Clear(list)

	for _, item := range items[from:to] {
		reply.Mutable(list).List().Append(item)
	}

	reply.Clear(fields.ByName("next_page_token"))

	if to < len(items) {
		reply.Set(fields.ByName("next_page_token"), protoreflect.ValueOfString(strconv.Itoa(to)))
	}

	if total := fields.ByName("total_size"); isInteger(total) {
		reply.Set(total, integer(total.Kind(), int64(len(items))))
	}

	return nil
}

// items are all items of a list, each with another identifier.
func (m *maker) items(reply protoreflect.Message, list protoreflect.FieldDescriptor, request protoreflect.Message,
) []protoreflect.Value {
	items, seen := make([]protoreflect.Value, 0, listed), map[string]bool{}
	id := identifier(list.Message())

	for n := range listed {
		item := reply.NewField(list).List().NewElement()
		one := m.another(reply.Descriptor().FullName())
		one.echo(item.Message(), request, id)
		one.message(item.Message(), nil, n)

		if id != nil {
			text := item.Message().Get(id).String()
			if seen[text] {
				continue
			}

			seen[text] = true
		}

		items = append(items, item)
	}

	return items
}

// identifier returns the field whose behavior is IDENTIFIER (AIP-203). It is nil if there is none.
func identifier(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	for i := range md.Fields().Len() {
		field := md.Fields().Get(i)
		behavior, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)

		if slices.Contains(behavior, annotations.FieldBehavior_IDENTIFIER) && isString(field) {
			return field
		}
	}

	return nil
}
