package protolint

import (
	"errors"
	"fmt"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// validation finds rules of buf.validate that do not compile, in the messages that requests are made of.
func (l *linter) validation() {
	validator, err := protovalidate.New()
	if err != nil {
		return
	}

	requests := make([]protoreflect.MessageDescriptor, 0, len(l.endpoints))
	for _, e := range l.endpoints {
		requests = append(requests, e.Descriptor.Input())
	}

	for _, message := range schema.Messages(requests...) {
		for _, element := range elements(message) {
			if wrong := ruleFault(validator, message, element); wrong != nil {
				at := protopos.Option(element, validate.E_Field, validate.E_Oneof, validate.E_Message)
				l.find(message, at, ValidationInvalid, fmt.Sprintf("rules of %s: %s", element.FullName(), condition.OneLine(wrong)))
			}
		}
	}
}

// elements are what has rules of its own: a message, its oneofs and its fields.
func elements(message protoreflect.MessageDescriptor) []protoreflect.Descriptor {
	all := make([]protoreflect.Descriptor, 0, 1+message.Oneofs().Len()+message.Fields().Len())
	all = append(all, message)

	for i := range message.Oneofs().Len() {
		all = append(all, message.Oneofs().Get(i))
	}

	for i := range message.Fields().Len() {
		all = append(all, message.Fields().Get(i))
	}

	return all
}

// ruleFault is what is wrong with the rules of one element of a message. Rules are compiled when a message is validated first, and
// every validation says then what is wrong.
func ruleFault(validator protovalidate.Validator, message protoreflect.MessageDescriptor, element protoreflect.Descriptor) error {
	only := protovalidate.FilterFunc(func(_ protoreflect.Message, d protoreflect.Descriptor) bool {
		return d.FullName() == element.FullName()
	})

	wrong := (*protovalidate.CompilationError)(nil)
	if !errors.As(validator.Validate(dynamicpb.NewMessage(message), protovalidate.WithFilter(only)), &wrong) {
		return nil
	}

	if cause := wrong.Unwrap(); cause != nil {
		return cause
	}

	return wrong
}
