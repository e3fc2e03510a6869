package binding

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// HasMask reports whether requests may have a field mask somewhere.
func (b *Binding) HasMask() bool { return b.hasMask }

// HasProtoPath reports whether a message has a field mask with a path that JSON cannot hold.
func HasProtoPath(m proto.Message) bool {
	found := false

	_ = protorange.Range(m.ProtoReflect(), func(values protopath.Values) error {
		mask, ok := values.Index(-1).Value.Interface().(protoreflect.Message)
		if !ok || mask.Descriptor().FullName() != fieldMask {
			return nil
		}

		paths := mask.Get(mask.Descriptor().Fields().ByName("paths")).List()
		for i := range paths.Len() {
			if protojson.IsProtoPath(paths.Get(i).String()) {
				found = true
				return protorange.Terminate
			}
		}

		return nil
	})

	return found
}
