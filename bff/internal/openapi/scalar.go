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

// textTrue is true as the name of a member, or as a header.
const textTrue = "true"

// Patterns of numbers that are strings in JSON.
const (
	signedPattern   = `^-?[0-9]+$`
	unsignedPattern = `^[0-9]+$`
	durationPattern = `^-?[0-9]+(\.[0-9]{1,9})?s$`
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
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return &Schema{Pattern: unsignedPattern}
	default:
		return &Schema{Pattern: signedPattern}
	}
}

// wellKnown is the schema of a message with a JSON form of its own. Nil: it has none.
func wellKnown(message protoreflect.MessageDescriptor, as form) *Schema {
	switch message.FullName() {
	case "google.protobuf.Timestamp":
		return &Schema{Type: typeString, Format: "date-time"}
	case "google.protobuf.Duration":
		return &Schema{Type: typeString, Pattern: durationPattern}
	case "google.protobuf.FieldMask":
		return &Schema{Type: typeString}
	case "google.protobuf.Struct":
		return &Schema{Type: typeObject, AdditionalProperties: true}
	case "google.protobuf.Value":
		return &Schema{}
	case "google.protobuf.ListValue":
		return &Schema{Type: typeArray, Items: &Schema{}}
	case "google.protobuf.Empty":
		return &Schema{Type: typeObject, AdditionalProperties: as == output}
	case "google.protobuf.Any":
		kind := &Map[*Schema]{}
		kind.Set("@type", &Schema{Type: typeString, Description: "URL of the type of the message."})

		return &Schema{Type: typeObject, Properties: kind, AdditionalProperties: true}
	default:
		return wrapper(message)
	}
}

// wrapper is the schema of a google.protobuf wrapper. Nil: it is none.
func wrapper(message protoreflect.MessageDescriptor) *Schema {
	switch message.FullName() {
	case "google.protobuf.BoolValue", "google.protobuf.BytesValue", "google.protobuf.StringValue",
		"google.protobuf.DoubleValue", "google.protobuf.FloatValue",
		"google.protobuf.Int32Value", "google.protobuf.Int64Value",
		"google.protobuf.UInt32Value", "google.protobuf.UInt64Value":
		return scalar(message.Fields().ByName("value").Kind())
	default:
		return nil
	}
}
