package binding

import (
	"context"
	"errors"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// maxSmall is how many fields, elements and entries a message may have for its violations to be collected at once: each of them
	// can break many rules, and each violation takes about a kilobyte.
	maxSmall = 200
	// maxSteps is how many fields are validated to find the violations of a larger message. A body of a megabyte has fewer.
	maxSteps = 1 << 20
)

// isSmall reports whether a message has at most maxSmall fields, whatever is in it: most that only the path and the query fill do.
func isSmall(message protoreflect.MessageDescriptor) bool { return addFields(message, 0) <= maxSmall }

// addFields adds the largest number of fields of a message, and of those in it, to n. It stops above maxSmall.
func addFields(message protoreflect.MessageDescriptor, n int) int {
	for i, fields := 0, message.Fields(); i < fields.Len() && n <= maxSmall; i++ {
		field := fields.Get(i)
		if n++; field.IsList() || field.IsMap() {
			return maxSmall + 1
		}

		if field.Message() != nil {
			n = addFields(field.Message(), n)
		}
	}

	return n
}

// collector finds the violations of the rules of one message.
//
// protovalidate collects all violations, or stops at the first one. So the first run stops, which costs a valid message nothing. If
// the message is small, a second run collects all. In a larger one further runs stop at the next violation, without the fields that
// are known to be at fault and all that is in them: a list that is too long is one violation, whatever is in it.
type collector struct {
	ctx       context.Context //nolint:containedctx // It is that of the one call.
	validator protovalidate.Validator
	message   proto.Message
	// counts reports whether the rules of the message itself, of a field or of a oneof count. Nil: all do.
	counts func(of protoreflect.Descriptor) bool

	// steps is how many fields have been validated, known has those that are at fault.
	steps int
	known map[site]bool
	// hides reports whether a known field may hide other violations, since it is at fault for one of its elements.
	hides bool
	// ended reports whether the context has ended, and nothing more is to be validated.
	ended bool

	// options are those of all runs, and then that of those that stop at the first violation.
	options [2]protovalidate.ValidationOption
}

var failFast = protovalidate.WithFailFast() //nolint:gochecknoglobals // Constant.

func newCollector(
	ctx context.Context, validator protovalidate.Validator, message proto.Message, counts func(protoreflect.Descriptor) bool,
) *collector {
	c := &collector{ctx: ctx, validator: validator, message: message, counts: counts}
	c.options = [...]protovalidate.ValidationOption{protovalidate.WithFilter(c), failFast}

	return c
}

// site is a field or oneof of a message, or the rules of the message itself.
type site struct {
	message protoreflect.ProtoMessage
	of      protoreflect.Descriptor
}

// collect returns at most MaxFaults violations, and reports whether there may be more.
func (c *collector) collect() (violations []*protovalidate.Violation, more bool, err error) {
	violations, err = c.first()
	if len(violations) == 0 {
		return nil, false, err
	}

	if size(c.message.ProtoReflect(), 0) <= maxSmall {
		violations, err = c.all()
		more = len(violations) > MaxFaults

		return violations[:min(len(violations), MaxFaults)], more, err
	}

	c.known = map[site]bool{}

	for found := violations; ; {
		if !c.learn(found[0]) || len(violations) == MaxFaults || c.steps > maxSteps {
			return violations, true, nil
		}

		found, err = c.first()
		if len(found) == 0 || err != nil {
			return violations, c.hides, err
		}

		violations = append(violations, found[0])
	}
}

// first returns the first violation, if there is one, or any other error.
func (c *collector) first() ([]*protovalidate.Violation, error) { return c.validate(c.options[:]) }

// all returns the violations, or any other error.
func (c *collector) all() ([]*protovalidate.Violation, error) { return c.validate(c.options[:1]) }

func (c *collector) validate(options []protovalidate.ValidationOption) ([]*protovalidate.Violation, error) {
	err := c.validator.Validate(c.message, options...)
	if ended := c.ctx.Err(); ended != nil {
		return nil, ended
	}

	if err == nil {
		return nil, nil
	}

	broken := (*protovalidate.ValidationError)(nil)
	if errors.As(err, &broken) {
		return broken.Violations, nil
	}

	return nil, err
}

// ShouldValidate implements protovalidate.Filter.
func (c *collector) ShouldValidate(m protoreflect.Message, of protoreflect.Descriptor) bool {
	const rarely = 256
	if c.steps++; c.steps%rarely == 0 && c.ctx.Err() != nil {
		c.ended = true
	}

	if c.ended || c.counts != nil && m.Interface() == c.message && !c.counts(of) {
		return false
	}

	return len(c.known) == 0 || !c.known[site{m.Interface(), of}]
}

// learn adds the site of a violation to the known ones. It reports whether it is new: if not, the next run would find the same.
func (c *collector) learn(violation *protovalidate.Violation) bool {
	path := violation.Proto.GetField().GetElements()

	at, ok := locate(c.message.ProtoReflect(), path, violation.FieldDescriptor == nil)
	if !ok || c.known[at] {
		return false
	}

	c.known[at] = true

	if _, field := at.of.(protoreflect.FieldDescriptor); field && path[len(path)-1].GetSubscript() != nil {
		c.hides = true
	}

	return true
}

// locate finds the site that a path leads to: the rules of a message if own is set, or else a field.
func locate(m protoreflect.Message, path []*validate.FieldPathElement, own bool) (site, bool) {
	for i, element := range path {
		field := m.Descriptor().Fields().ByNumber(protoreflect.FieldNumber(element.GetFieldNumber()))
		last := i == len(path)-1

		switch {
		case field == nil && last:
			oneof := m.Descriptor().Oneofs().ByName(protoreflect.Name(element.GetFieldName()))
			return site{m.Interface(), oneof}, oneof != nil
		case field == nil:
			return site{}, false
		case last && !own:
			return site{m.Interface(), field}, true
		}

		next, ok := enter(m, field, element)
		if !ok {
			return site{m.Interface(), field}, last
		}

		m = next
	}

	return site{m.Interface(), m.Descriptor()}, true
}

// enter returns the message that a field, an element of it or an entry of it holds.
func enter(m protoreflect.Message, field protoreflect.FieldDescriptor, at *validate.FieldPathElement) (protoreflect.Message, bool) {
	value := m.Get(field)

	switch {
	case field.IsMap():
		value = value.Map().Get(keyOf(at, field.MapKey().Kind()).MapKey())
	case field.IsList() && at.GetIndex() < uint64(value.List().Len()):
		value = value.List().Get(int(at.GetIndex()))
	case field.IsList():
		return nil, false
	}

	next, ok := value.Interface().(protoreflect.Message)

	return next, ok
}

// keyOf returns the key of a map that a path names.
func keyOf(at *validate.FieldPathElement, kind protoreflect.Kind) protoreflect.Value {
	switch kind {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(at.GetBoolKey())
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(at.GetStringKey())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(at.GetIntKey()))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(at.GetIntKey())
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(at.GetUintKey()))
	default:
		return protoreflect.ValueOfUint64(at.GetUintKey())
	}
}

// size adds the number of fields, elements and entries of a message to n. It stops above maxSmall.
func size(m protoreflect.Message, n int) int {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		n++

		switch {
		case field.IsList():
			n += value.List().Len()

			for i := 0; field.Message() != nil && n <= maxSmall && i < value.List().Len(); i++ {
				n = size(value.List().Get(i).Message(), n)
			}
		case field.IsMap():
			n += value.Map().Len()

			if field.MapValue().Message() != nil && n <= maxSmall {
				value.Map().Range(func(_ protoreflect.MapKey, value protoreflect.Value) bool {
					n = size(value.Message(), n)
					return n <= maxSmall
				})
			}
		case field.Message() != nil:
			n = size(value.Message(), n)
		}

		return n <= maxSmall
	})

	return n
}
