package binding

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// Initialized checks that all required fields of proto2, or of editions with LEGACY_REQUIRED, are set, without which a message
// cannot be encoded. The error is Faults, MaxFaults at most.
func (b *Binding) Initialized(m proto.Message) error {
	// This costs nothing for messages that cannot have such fields.
	if proto.CheckInitialized(m) == nil {
		return nil
	}

	var faults Faults

	// The message in an Any need not be complete.
	walk := protorange.Options{Stable: true, Resolver: (*protoregistry.Types)(nil)}
	_ = walk.Range(m.ProtoReflect(), func(at protopath.Values) error {
		message, ok := at.Index(-1).Value.Interface().(protoreflect.Message)
		if !ok {
			return nil
		}

		required := message.Descriptor().RequiredNumbers()
		for i := range required.Len() {
			field := message.Descriptor().Fields().ByNumber(required.Get(i))
			if message.Has(field) {
				continue
			}

			if faults.More = len(faults.List) == MaxFaults; faults.More {
				return protorange.Terminate
			}

			path, first := jsonPath(append(at.Path[1:len(at.Path):len(at.Path)], protopath.FieldAccess(field)))
			fault := b.place(path, first, nil)
			fault.Reason = "is required"
			faults.List = append(faults.List, fault)
		}

		return nil
	}, nil)

	return faults
}

// jsonPath writes a path in JSON spelling, "items[0].unitPrice", and returns its first field.
func jsonPath(path protopath.Path) (string, protoreflect.FieldDescriptor) {
	var out strings.Builder

	for i, step := range path {
		switch step.Kind() {
		case protopath.FieldAccessStep:
			if i > 0 {
				out.WriteByte('.')
			}

			out.WriteString(step.FieldDescriptor().JSONName())
		case protopath.MapIndexStep:
			if key, ok := step.MapIndex().Interface().(string); ok {
				out.WriteString("[" + strconv.Quote(protojson.Clip(key)) + "]")
				continue
			}

			fallthrough
		default:
			out.WriteString(step.String())
		}
	}

	return out.String(), path[0].FieldDescriptor()
}
