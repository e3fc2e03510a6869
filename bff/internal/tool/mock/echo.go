package mock

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// asked is what the answer takes from the request.
type asked struct {
	// request is the first message; nil if none came.
	request protoreflect.Message
	// verbs are the words of the method's name.
	verbs []string
	// caller is the subject, empty if nobody.
	caller string
	// uploaded is what is known of what a client streamed.
	uploaded upload
	// attempt counts the tries at an answer that keeps its rules.
	attempt int
}

// echo sets the fields that the request has too: all of the answer itself, filters and owners of what it lists, owners of what it
// holds. It returns the fields that a field mask of the request empties.
func (k asked) echo(msg protoreflect.Message, sc scope) (cleared []protoreflect.Name) {
	depth := len(sc.within)
	if depth > 1 {
		return nil
	}

	if k.request != nil {
		k.copyNamed(msg, sc)

		if body := k.bodyFor(msg.Descriptor()); body != nil && !sc.listed {
			cleared = k.copyBody(msg, body)
		}
	}

	if depth == 0 {
		k.uploaded.echo(msg)
	}

	k.owner(msg)

	return cleared
}

// copyNamed copies fields of the request by their names.
func (k asked) copyNamed(msg protoreflect.Message, sc scope) {
	id := identity(msg.Descriptor())
	fields := msg.Descriptor().Fields()

	k.request.Range(func(given protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		field := fields.ByName(given.Name())
		if field == nil || !alike(field, given) ||
			field.ContainingOneof() != nil && msg.WhichOneof(field.ContainingOneof()) != nil {
			return true
		}

		switch {
		case len(sc.within) == 0:
		case sc.listed:
			// What names the list must not name each of its items.
			if field == id || field.Name() == nameField || field.Name() == "id" {
				return true
			}
		case !strings.HasSuffix(string(field.Name()), "_id"):
			return true
		}

		put(msg, field, value)

		return true
	})
}

// put sets a field to the value of another field of the same type. Lists and maps know which field they are of, so that their
// elements move.
func put(msg protoreflect.Message, field protoreflect.FieldDescriptor, value protoreflect.Value) {
	fresh := msg.NewField(field)

	switch {
	case field.IsList():
		for i := range value.List().Len() {
			fresh.List().Append(value.List().Get(i))
		}
	case field.IsMap():
		value.Map().Range(func(key protoreflect.MapKey, entry protoreflect.Value) bool {
			fresh.Map().Set(key, entry)

			return true
		})
	default:
		fresh = value
	}

	msg.Set(field, fresh)
}

// bodyFor is a message of that type in the request: the resource to create or to change.
func (k asked) bodyFor(of protoreflect.MessageDescriptor) protoreflect.Message {
	fields := k.request.Descriptor().Fields()

	for i := range fields.Len() {
		field := fields.Get(i)
		if field.Message() != nil && field.Message().FullName() == of.FullName() && !field.IsList() && !field.IsMap() &&
			k.request.Has(field) {
			return k.request.Get(field).Message()
		}
	}

	return nil
}

// copyBody copies what is not set yet, and returns what the field mask names and the body does not have.
func (k asked) copyBody(msg, body protoreflect.Message) (cleared []protoreflect.Name) {
	body.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if !msg.Has(field) {
			msg.Set(field, value)
		}

		return true
	})

	mask := k.request.Descriptor().Fields().ByName("update_mask")
	if mask == nil || mask.Message() == nil || mask.Message().FullName() != fieldMask {
		return nil
	}

	paths := k.request.Get(mask).Message()
	list := paths.Get(paths.Descriptor().Fields().ByName("paths")).List()

	for i := range list.Len() {
		field := msg.Descriptor().Fields().ByName(protoreflect.Name(list.Get(i).String()))
		if field != nil && !body.Has(field) && !slices.Contains(cleared, field.Name()) {
			cleared = append(cleared, field.Name())
		}
	}

	return cleared
}

// owners are fields that say whose something is.
func owners() []protoreflect.Name { return []protoreflect.Name{"user_id", "owner_id", "customer_id"} }

// owner is the caller where the request does not say whose something is.
func (k asked) owner(msg protoreflect.Message) {
	if k.caller == "" {
		return
	}

	for _, name := range owners() {
		field := msg.Descriptor().Fields().ByName(name)
		if field != nil && field.Kind() == protoreflect.StringKind && !field.IsList() && !msg.Has(field) &&
			field != identity(msg.Descriptor()) {
			msg.Set(field, protoreflect.ValueOfString(k.caller))
		}
	}
}

// after is the number after which the request wants a stream to go on: its after_sequence is for sequence.
func (k asked) after(name string) int64 {
	if k.request == nil {
		return 0
	}

	field := k.request.Descriptor().Fields().ByName(protoreflect.Name("after_" + name))
	if field == nil || field.IsList() {
		return 0
	}

	switch v := k.request.Get(field).Interface().(type) {
	case int64:
		return v
	case int32:
		return int64(v)
	default:
		return 0
	}
}

// alike reports whether values of one field can be those of the other.
func alike(a, b protoreflect.FieldDescriptor) bool {
	if a.Kind() != b.Kind() || a.IsList() != b.IsList() || a.IsMap() != b.IsMap() {
		return false
	}

	switch {
	case a.Message() != nil:
		return a.Message().FullName() == b.Message().FullName()
	case a.Enum() != nil:
		return a.Enum().FullName() == b.Enum().FullName()
	default:
		return true
	}
}

// parent is the resource that a list or a creation is below (AIP-132, AIP-133).
func (k asked) parent() string {
	if k.request == nil {
		return ""
	}

	if field := k.request.Descriptor().Fields().ByName("parent"); isString(field) {
		return k.request.Get(field).String()
	}

	return ""
}

// upload is what is known of what a client streamed.
type upload struct {
	contentType string
	bytes       int64
	messages    int
}

// add counts a message: the bytes of the bodies in it.
func (u *upload) add(msg protoreflect.Message) {
	u.messages++

	if msg.Descriptor().FullName() == httpBody {
		fields := msg.Descriptor().Fields()
		u.bytes += int64(len(msg.Get(fields.ByName("data")).Bytes()))

		if u.contentType == "" {
			u.contentType = msg.Get(fields.ByName("content_type")).String()
		}

		return
	}

	msg.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() != nil && !field.IsList() && !field.IsMap() && field.Message().FullName() == httpBody {
			u.messages--
			u.add(value.Message())
		}

		return true
	})
}

// echo sets the media type and the size, where the reply has fields for them.
func (u *upload) echo(msg protoreflect.Message) {
	fields := msg.Descriptor().Fields()

	if field := fields.ByName("content_type"); u.contentType != "" && field != nil && field.Kind() == protoreflect.StringKind &&
		!field.IsList() {
		msg.Set(field, protoreflect.ValueOfString(u.contentType))
	}

	for _, name := range []protoreflect.Name{"size_bytes", "size"} {
		if field := fields.ByName(name); u.bytes > 0 && field != nil && field.Kind() == protoreflect.Int64Kind && !field.IsList() {
			msg.Set(field, protoreflect.ValueOfInt64(u.bytes))
		}
	}
}
