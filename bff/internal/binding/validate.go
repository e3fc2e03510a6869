package binding

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/jsonpb"
)

// Validate checks a complete message by the buf.validate rules of its proto. The error is Faults, with the places named as the
// client gave them, MaxFaults at most; or it is that of the context, which ends the work; or it tells that a rule could not be
// evaluated.
func (b *Binding) Validate(ctx context.Context, m proto.Message) error {
	c := &collector{ctx: ctx, validator: b.config.Validator, message: m}

	violations, more, err := c.collect()
	if err != nil {
		return fmt.Errorf("validate %s: %w", b.input.FullName(), err)
	}

	if len(violations) == 0 {
		return nil
	}

	faults := Faults{List: make([]Fault, 0, len(violations)), More: more}

	for _, violation := range violations {
		fault := b.place(violation.Proto.GetField().GetElements())
		fault.Reason = violation.Proto.GetMessage()

		if fault.Reason == "" {
			fault.Reason = "breaks the rule " + violation.Proto.GetRuleId()
		}

		faults.List = append(faults.List, fault)
	}

	return faults
}

// place says where in a request the path of a violation is.
func (b *Binding) place(elements []*validate.FieldPathElement) Fault {
	names, first := b.spell(elements)

	switch {
	case first == nil && b.HasBody():
		return Fault{In: InBody}
	case first == nil:
		return Fault{In: InQuery}
	case b.body != nil && first == b.body:
		return Fault{In: InBody, Name: strings.TrimPrefix(strings.TrimPrefix(names, first.JSONName()), ".")}
	}

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

	if b.whole {
		return Fault{In: InBody, Name: names}
	}

	return Fault{In: InQuery, Name: names}
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
		return "[" + strconv.Quote(jsonpb.Clip(at.StringKey)) + "]"
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
