// Package validate checks messages against the rules that their protos declare (buf.validate), and says what it finds as violations
// of fields.
//
// What no rule can say, such as that two fields go together, is checked by the service that knows it.
package validate

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/backends/internal/fault"
)

// fieldMask is the message that names fields.
const fieldMask = "google.protobuf.FieldMask"

// pathLimit bounds how much of the path of a field an error repeats, in characters: it may contain a key of a map.
const pathLimit = 150

// Request checks a request. Of a request with a field mask (AIP-134), the resource is left out: it need not be complete, and
// Resource checks what comes of it.
func Request(req proto.Message) error {
	resource := updated(req.ProtoReflect())
	if resource == nil {
		return check("", req)
	}

	return check("", req, protovalidate.WithFilter(protovalidate.FilterFunc(
		func(m protoreflect.Message, _ protoreflect.Descriptor) bool { return m.Interface() != resource },
	)))
}

// Resource checks what an update has made of a resource, before it is stored. The field is where the request has it: "order".
func Resource(field string, resource proto.Message) error {
	return check(field+".", resource)
}

// updated returns the resource of a request that has a field mask, nil if it has none.
func updated(req protoreflect.Message) proto.Message {
	var (
		resource proto.Message
		masked   bool
	)

	fields := req.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)

		switch {
		case field.Message() == nil || field.IsList() || field.IsMap():
		case field.Message().FullName() == fieldMask:
			masked = true
		case req.Has(field):
			resource = req.Get(field).Message().Interface()
		}
	}

	if !masked {
		return nil
	}

	return resource
}

func check(prefix string, m proto.Message, options ...protovalidate.ValidationOption) error {
	err := protovalidate.Validate(m, options...)

	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) {
		if err != nil {
			return fmt.Errorf("validate %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
		}

		return nil
	}

	var v fault.Violations
	for _, violation := range invalid.Violations {
		v.Addf(shorten(prefix+protovalidate.FieldPathString(violation.Proto.GetField())), "%s", violation.Proto.GetMessage())
	}

	return v.Err()
}

func shorten(path string) string {
	if utf8.RuneCountInString(path) <= pathLimit {
		return path
	}

	return string([]rune(path)[:pathLimit]) + "…"
}
