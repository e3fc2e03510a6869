package openapi

import (
	"math"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// The types of JSON Schema.
const (
	typeString  = "string"
	typeNumber  = "number"
	typeInteger = "integer"
	typeBoolean = "boolean"
	typeObject  = "object"
	typeArray   = "array"
	typeNull    = "null"
)

const formatTime = "date-time"

// Messages and enums that several files name.
const (
	fieldMask  = "google.protobuf.FieldMask"
	protoValue = "google.protobuf.Value"
	protoNull  = "google.protobuf.NullValue"
)

// textTrue is true as the name of a member, or as a header.
const textTrue = "true"

// Patterns of what is a string in JSON, as both ECMA-262 and RE2 read them.
const (
	signedPattern   = `^-?(0|[1-9][0-9]*)$`
	unsignedPattern = `^(0|[1-9][0-9]*)$`
	durationPattern = `^-?[0-9]{1,12}(\.[0-9]{1,9})?s$`
	// timePattern is narrower than the format date-time: capital letters, at most nanoseconds and no leap seconds.
	timePattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$`
	// maskPattern is paths in camelCase or, if that cannot hold them, as the proto spells them; or "*" for all fields.
	maskPattern = `^(\*|(` + maskPath + `)(,(` + maskPath + `))*)?$`
	maskPath    = `[a-zA-Z][a-zA-Z0-9]*(\.[a-zA-Z][a-zA-Z0-9]*)*|` +
		`([a-z][a-z0-9_]*\.)*[a-z][a-z0-9_]*_[0-9][a-z0-9_]*(\.[a-z][a-z0-9_]*)*`
	// maskTextPattern is for masks outside of JSON, where the proto's spelling is one for all paths.
	maskTextPattern = `^(\*|[a-zA-Z_][a-zA-Z0-9_]*([.,][a-zA-Z_][a-zA-Z0-9_]*)*)?$`
)

// scalar is the form of a kind in protobuf's JSON (https://protobuf.dev/programming-guides/json/).
func scalar(kind protoreflect.Kind) *Schema {
	switch kind {
	case protoreflect.BoolKind:
		return &Schema{Type: typeBoolean}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return &Schema{Type: typeInteger, Format: "int32"}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return &Schema{Type: typeInteger, Format: "uint32", Minimum: new(0.0), Maximum: new(float64(math.MaxUint32))}
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return &Schema{Type: typeString, Format: "int64", Pattern: signedPattern}
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return &Schema{Type: typeString, Format: "uint64", Pattern: unsignedPattern}
	case protoreflect.FloatKind:
		return float("float")
	case protoreflect.DoubleKind:
		return float("double")
	case protoreflect.BytesKind:
		return &Schema{Type: typeString, ContentEncoding: "base64"}
	case protoreflect.StringKind, protoreflect.EnumKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return &Schema{Type: typeString}
	default:
		return &Schema{}
	}
}

// float is a number, or what JSON has no number for.
func float(format string) *Schema {
	return &Schema{OneOf: []*Schema{
		{Type: typeNumber, Format: format},
		{Type: typeString, Enum: []any{"NaN", "Infinity", "-Infinity"}},
	}}
}

// mapKey is what keys of a map look like. Nil: any text.
func mapKey(kind protoreflect.Kind) *Schema {
	switch kind {
	case protoreflect.StringKind:
		return nil
	case protoreflect.BoolKind:
		return &Schema{Enum: []any{textTrue, "false"}}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return &Schema{Format: "uint32", Pattern: unsignedPattern}
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return &Schema{Format: "uint64", Pattern: unsignedPattern}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return &Schema{Format: "int32", Pattern: signedPattern}
	default:
		return &Schema{Format: "int64", Pattern: signedPattern}
	}
}

// wellKnown is the schema of a message with a JSON form of its own. Nil: it has none.
func wellKnown(message protoreflect.MessageDescriptor, as form) *Schema {
	switch message.FullName() {
	case "google.protobuf.Timestamp":
		if as == output {
			return &Schema{Type: typeString, Format: formatTime}
		}

		return &Schema{Type: typeString, Format: formatTime, Pattern: timePattern}
	case "google.protobuf.Duration":
		return &Schema{Type: typeString, Pattern: durationPattern}
	case fieldMask:
		if as == output {
			return &Schema{Type: typeString}
		}

		return &Schema{Type: typeString, Pattern: maskPattern}
	case "google.protobuf.Struct":
		return &Schema{Type: typeObject, AdditionalProperties: true}
	case protoValue:
		return &Schema{}
	case "google.protobuf.ListValue":
		return &Schema{Type: typeArray, Items: &Schema{}}
	case "google.protobuf.Empty":
		return &Schema{Type: typeObject, AdditionalProperties: as == output}
	case "google.protobuf.Any":
		return anyMessage(as)
	default:
		return wrapper(message)
	}
}

// anyMessage is the schema of a message of any type.
func anyMessage(as form) *Schema {
	kind := &Map[*Schema]{}
	name := &Schema{Type: typeString, Description: "URL of the type of the message."}
	kind.Set("@type", name)

	out := &Schema{Type: typeObject, Properties: kind, AdditionalProperties: true}

	if as != output {
		name.MinLength, name.Description = new(uint64(1)), "URL of the type of the message, which the gateway has to know."

		typed := &Map[*Schema]{}
		typed.Set("@type", &Schema{Type: typeString})
		out.OneOf = []*Schema{{Properties: typed, Required: []string{"@type"}}, {MaxProperties: new(uint64(0))}}
	}

	return out
}

// wrapper is the schema of a google.protobuf wrapper. Nil: it is none.
func wrapper(message protoreflect.MessageDescriptor) *Schema {
	if message.ParentFile().Path() != "google/protobuf/wrappers.proto" {
		return nil
	}

	return scalar(message.Fields().ByName("value").Kind())
}
