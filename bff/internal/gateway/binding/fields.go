package binding

import (
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// Fields is how clients choose the fields of responses (AIP-157).
type Fields struct {
	// Parameter is the name of the query parameter.
	Parameter string
	// Selector reads its values.
	Selector *protojson.Selector
	// Read are the paths of fields of the reply, in the spelling of the proto, that the gateway reads, whatever the client chooses.
	Read []string
}

// readMask is the name of the field of a request by which a backend gets the fields that are chosen (AIP-157).
const readMask = "read_mask"

// readMaskOf returns that field; nil if there is none, or if the path or the body is all that sets it.
func (b *Binding) readMaskOf() protoreflect.FieldDescriptor {
	field := b.input.Fields().ByName(readMask)
	if field == nil || !isMask(field) || field.IsList() || field == b.body || b.inPath(field) {
		return nil
	}

	return field
}

// isFields reports whether a query parameter chooses fields.
func (b *Binding) isFields(name string) bool {
	return b.config.Fields != nil && name == b.config.Fields.Parameter
}

// chosen returns the fields that a query chooses, and puts them into the message for the backend. Nil: all are. The fault is what
// is wrong with them.
func (b *Binding) chosen(query url.Values, m protoreflect.Message) (mask *protojson.Mask, fault string) {
	if b.config.Fields == nil || !query.Has(b.config.Fields.Parameter) {
		return nil, ""
	}

	mask, err := b.config.Fields.Selector.Parse(query[b.config.Fields.Parameter])
	if err != nil {
		return nil, err.Error()
	}

	if b.readMask == nil {
		return mask, ""
	}

	if m.Has(b.readMask) {
		return nil, "cannot be given together with " + b.readMask.JSONName()
	}

	b.addPaths(mask, m.Mutable(b.readMask).Message())

	return mask, ""
}

// addPaths adds to a google.protobuf.FieldMask what is chosen, and what the gateway reads.
func (b *Binding) addPaths(mask *protojson.Mask, out protoreflect.Message) {
	paths := mask.Paths()

	for _, path := range b.config.Fields.Read {
		if !slices.ContainsFunc(paths, func(other string) bool { return covers(other, path) }) {
			paths = append(paths, path)
		}
	}

	list := out.Mutable(b.readMask.Message().Fields().ByName("paths")).List()

	for _, path := range paths {
		list.Append(protoreflect.ValueOfString(path))
	}
}

// covers reports whether a path of a mask has another in it.
func covers(outer, inner string) bool {
	return outer == "*" || outer == inner || strings.HasPrefix(inner, outer+".")
}

// NormalizeFields writes the fields that a query chooses in normal form. It leaves them as they are if they are at fault.
func (b *Binding) NormalizeFields(query url.Values) {
	if b.config.Fields == nil || !query.Has(b.config.Fields.Parameter) {
		return
	}

	if mask, err := b.config.Fields.Selector.Parse(query[b.config.Fields.Parameter]); err == nil {
		query.Set(b.config.Fields.Parameter, mask.String())
	}
}
