package restdiff

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// The JSON type of messages that have no special one.
const formObject = "an object"

// The types of fields that a request can widen.
const (
	formNumber = "a number"
	formInt32  = "a number (int32)"
	formUint32 = "a number (uint32)"
	formInt64  = "a string of digits (int64)"
	formUint64 = "a string of digits (uint64)"
)

// jsonType says what a field is in JSON (ProtoJSON, https://protobuf.dev/programming-guides/json/).
func jsonType(field protoreflect.FieldDescriptor) string {
	switch {
	case field.IsMap():
		return "a map of " + jsonType(field.MapValue())
	case field.IsList():
		return "a list of " + single(field)
	default:
		return single(field)
	}
}

func single(field protoreflect.FieldDescriptor) string {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return "a bool"
	case protoreflect.StringKind:
		return "a string"
	case protoreflect.BytesKind:
		return "a string of base64"
	case protoreflect.EnumKind:
		if field.Enum().FullName() == "google.protobuf.NullValue" {
			return "null"
		}

		return "an enum"
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return formInt32
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return formUint32
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return formInt64
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return formUint64
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return formNumber
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageForm(field.Message())
	default:
		return field.Kind().String()
	}
}

// messageForm says what a message is in JSON.
func messageForm(message protoreflect.MessageDescriptor) string {
	name, wellKnown := strings.CutPrefix(string(message.FullName()), "google.protobuf.")
	if !wellKnown {
		if message.FullName() == "google.api.HttpBody" {
			return "a file"
		}

		return formObject
	}

	switch {
	case strings.HasSuffix(name, "Value") && name != "Value" && name != "ListValue" && message.Fields().Len() == 1:
		return single(message.Fields().Get(0)) + " or null"
	case name == "Timestamp", name == "Duration", name == "FieldMask":
		return "a string (" + name + ")"
	case name == "Value":
		return "any value"
	case name == "ListValue":
		return "a list of any value"
	case name == "Struct":
		return "a map of any value"
	case name == "Any":
		return "an object (Any)"
	default:
		return formObject
	}
}

// widened reports whether a field of a request accepts everything that it accepted before. A number may also come as a string of
// digits, and vice versa.
func widened(was, is string) bool {
	switch was {
	case formInt32:
		return is == formInt64 || is == formNumber
	case formUint32:
		return is == formInt64 || is == formUint64 || is == formNumber
	case formInt64, formUint64:
		return false
	default:
		return is == was+" or null" || is == "any value" || is == "a string" && was == "a string of base64"
	}
}
