package binding

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// Validate checks a complete message by the buf.validate rules of its proto. Of a resource that an update mask names fields of,
// the rules of these count. The error is Faults, with the places named as the client gave them, MaxFaults at most; or it is that of
// the context, which ends the work; or that of a rule that could not be evaluated.
func (b *Binding) Validate(ctx context.Context, m proto.Message) error {
	var (
		faults Faults
		err    error
	)

	b.selected(m.ProtoReflect()).parts(func(p part) bool {
		violations, more, fault := p.violations(ctx, b.config.Validator)
		faults.More, err = faults.More || more, fault

		for _, violation := range violations {
			faults.List = append(faults.List, b.fault(p.prefix, violation.Proto))
		}

		return err == nil && len(faults.List) <= MaxFaults
	})

	if err != nil {
		return fmt.Errorf("validate %s: %w", b.input.FullName(), err)
	}

	if len(faults.List) > MaxFaults {
		faults = Faults{List: faults.List[:MaxFaults], More: true}
	}

	if len(faults.List) == 0 {
		return nil
	}

	return faults
}

// fault describes a violation in the message that a path leads to.
func (b *Binding) fault(prefix []*validate.FieldPathElement, violation *validate.Violation) Fault {
	path := append(slices.Clip(prefix), violation.GetField().GetElements()...)

	members, reason := b.oneof(path, violation)
	fault := b.place(path, members)
	fault.Reason = cmp.Or(reason, violation.GetMessage(), "breaks the rule "+violation.GetRuleId())

	return fault
}

// place says where in a request the path of a violation is. Members are the fields that it is about if the path ends in none.
func (b *Binding) place(elements []*validate.FieldPathElement, members []protoreflect.FieldDescriptor) Fault {
	names, first := b.spell(elements)

	for _, v := range b.variables {
		if v.path.String() == names {
			return Fault{In: InPath, Name: v.name}
		}
	}

	for _, h := range b.config.Headers {
		if h.Field.String() == names {
			return Fault{In: InHeader, Name: h.Name}
		}
	}

	switch {
	case b.whole:
		return Fault{In: InBody, Name: names}
	case first != nil && first == b.body:
		return Fault{In: InBody, Name: strings.TrimPrefix(strings.TrimPrefix(names, first.JSONName()), ".")}
	case first == nil && b.body != nil && (members == nil || slices.Contains(members, b.body)):
		return Fault{In: InBody} // It is about the body or what is beside it.
	default:
		return Fault{In: InQuery, Name: names}
	}
}

// spell writes a path in JSON spelling, "items[0].unitPrice", and returns its first field; nil if the message itself is meant.
func (b *Binding) spell(elements []*validate.FieldPathElement) (string, protoreflect.FieldDescriptor) {
	var (
		out   strings.Builder
		first protoreflect.FieldDescriptor
	)

	message := b.input

	for i, element := range elements {
		name := element.GetFieldName()

		var field protoreflect.FieldDescriptor
		if message != nil {
			field = message.Fields().ByNumber(protoreflect.FieldNumber(element.GetFieldNumber()))
		}

		message = nil

		if field != nil {
			name, message = field.JSONName(), field.Message()
			if field.IsMap() {
				message = field.MapValue().Message()
			}
		}

		if i == 0 {
			first = field
		} else {
			out.WriteByte('.')
		}

		out.WriteString(name)
		out.WriteString(subscript(element))
	}

	return out.String(), first
}

func subscript(element *validate.FieldPathElement) string {
	switch at := element.GetSubscript().(type) {
	case *validate.FieldPathElement_Index:
		return fmt.Sprintf("[%d]", at.Index)
	case *validate.FieldPathElement_StringKey:
		return "[" + strconv.Quote(protojson.Clip(at.StringKey)) + "]"
	case *validate.FieldPathElement_IntKey:
		return fmt.Sprintf("[%d]", at.IntKey)
	case *validate.FieldPathElement_UintKey:
		return fmt.Sprintf("[%d]", at.UintKey)
	case *validate.FieldPathElement_BoolKey:
		return fmt.Sprintf("[%t]", at.BoolKey)
	default:
		return ""
	}
}
