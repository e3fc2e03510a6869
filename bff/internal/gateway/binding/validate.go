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

// Validate checks a complete message against the buf.validate rules of its proto. If an update mask names fields of a resource,
// only their rules count. The error is Faults, MaxFaults at most, or that of the context, or of a rule that cannot be evaluated.
func (b *Binding) Validate(ctx context.Context, m proto.Message) error {
	selected := b.selected(m.ProtoReflect())

	// Without options, which cost memory, and a collector. Most requests are such.
	if b.small && selected.selection == nil && b.config.Validator.Validate(m) == nil {
		return nil
	}

	var (
		faults Faults
		err    error
	)

	selected.parts(func(p part) bool {
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

	return faults.error()
}

// fault describes a violation in the message that a path leads to.
func (b *Binding) fault(prefix []*validate.FieldPathElement, violation *validate.Violation) Fault {
	path := append(slices.Clip(prefix), violation.GetField().GetElements()...)

	members, reason := b.oneof(path, violation)
	names, first := b.spell(path)
	fault := b.place(names, first, members)
	fault.Reason = cmp.Or(reason, violation.GetMessage(), "breaks the rule "+violation.GetRuleId())

	return fault
}

// place finds out where in a request a path in JSON spelling is. first is its first field, nil if the message itself is meant;
// members are the fields that a violation is about if the path ends in none.
func (b *Binding) place(names string, first protoreflect.FieldDescriptor, members []protoreflect.FieldDescriptor) Fault {
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
	case b.bodyIsMessage:
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
		var field protoreflect.FieldDescriptor

		name := element.GetFieldName()
		if field, message = child(message, element); field != nil {
			name = field.JSONName()
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
