package openapi

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// errorStatus is the schema of an error as google.rpc.Status. The message of that name, as a field has it, is another one.
const errorStatus = "ErrorStatus"

// streamError is the schema of the last element of a stream that failed.
const streamError = "StreamError"

// addNames adds those of messages and of the enums in them.
func addNames(names map[protoreflect.FullName]bool, messages []protoreflect.MessageDescriptor) {
	for _, message := range messages {
		names[message.FullName()] = true

		for field := range schema.All(message.Fields()) {
			if field.IsMap() {
				field = field.MapValue()
			}

			if field.Enum() != nil {
				names[field.Enum().FullName()] = true
			}
		}
	}
}

// schemaName is the full name of the message. What clients send has a name of its own if the gateway writes the message, too.
func (b *builder) schemaName(message protoreflect.MessageDescriptor, as form) string {
	switch {
	case as == patch:
		return b.distinctName(message, "Patch")
	case as == partial:
		return b.distinctName(message, "Partial")
	case as == input && b.outputs[message.FullName()]:
		return b.distinctName(message, "Input")
	default:
		return b.distinctName(message, "")
	}
}

// distinctName is a full name with a suffix, or something like it that no other schema is called.
func (b *builder) distinctName(of protoreflect.Descriptor, suffix string) string {
	full := string(of.FullName())
	taken := func(name string) bool {
		other := protoreflect.FullName(name)

		return b.own[name] != nil || name != full && (b.inputs[other] || b.outputs[other])
	}

	base := full
	if taken(base) {
		base += "Proto"
	}

	name := base + suffix
	if suffix != "" && taken(name) {
		name = base + "As" + suffix
	}

	for taken(name) {
		name += "_"
	}

	return name
}

// reduced are the schemas of a message without some of its fields, which are elsewhere in the requests that they describe.
type reduced struct {
	// suffix says how it differs from the schema of the complete message.
	suffix string
	schema *Schema
	refs   []*Schema
}

// refReduced is a reference to the schema of a message without some of its fields, or open for unknown ones. It gets the name of
// the complete message if no other schema has that name, which is known in the end.
func (b *builder) refReduced(name, suffix string, schema *Schema) *Schema {
	ref := &Schema{}

	for _, known := range b.reduced[name] {
		if known.suffix == suffix {
			known.refs = append(known.refs, ref)

			return ref
		}
	}

	b.reduced[name] = append(b.reduced[name], &reduced{suffix: suffix, schema: schema, refs: []*Schema{ref}})

	return ref
}

// nameReduced adds the schemas of reduced messages, by names that depend on what they are and not on the order of the operations.
func (b *builder) nameReduced() {
	for name, all := range b.reduced {
		_, taken := b.schemas[name]

		for _, r := range all {
			own := name
			if taken || len(all) > 1 {
				own += r.suffix
			}

			b.schemas[own] = r.schema

			for _, ref := range r.refs {
				ref.Ref = component(own).Ref
			}
		}
	}
}

// reducedSuffix names the fields that are left out.
func reducedSuffix(without []string, open bool) string {
	suffix := ""
	if len(without) > 0 {
		suffix = "-without-" + strings.Join(without, "-")
	}

	if open {
		suffix += "-open"
	}

	return suffix
}
