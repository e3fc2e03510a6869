package bff

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/hint"
)

// plainJSON returns a value, of a file or of a program, with the types of encoding/json. Numbers stay as they are written.
func plainJSON(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}

	var plain any

	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()

	err = decoder.Decode(&plain)

	return plain, err
}

// overrideValue returns the configured value of a field in the form that protojson reads. Durations are written as everywhere in
// the configuration: 1m30s. The error joins every fault, each with its path.
func overrideValue(path string, field protoreflect.FieldDescriptor, value any) (any, error) {
	if value == nil {
		return nil, &config.Fault{Path: path, Err: errors.New("is needed: leave the field out, or set it")}
	}

	if !field.IsList() {
		return overrideElement(path, field, value)
	}

	elements, ok := value.([]any)
	if !ok {
		return nil, &config.Fault{Path: path, Err: errors.New("must be a list, such as [a, b]")}
	}

	read := make([]any, len(elements))
	faults := make([]error, len(elements))

	for i, element := range elements {
		read[i], faults[i] = overrideElement(fmt.Sprintf("%s[%d]", path, i), field, element)
	}

	return read, errors.Join(faults...)
}

// overrideElement is overrideValue for one value.
func overrideElement(path string, field protoreflect.FieldDescriptor, value any) (any, error) {
	var err error

	switch {
	case field.Message() == nil && field.Enum() == nil:
		err = checkScalar(field, value)
	case field.Enum() != nil:
		err = checkEnum(field.Enum(), value)
	case field.Message().FullName() == "google.protobuf.Duration":
		value, err = overrideDuration(value)
	default:
		return overrideMessage(path, field.Message(), value)
	}

	if err != nil {
		return nil, &config.Fault{Path: path, Err: err}
	}

	return value, nil
}

func overrideMessage(path string, message protoreflect.MessageDescriptor, value any) (any, error) {
	set, ok := value.(map[string]any)
	if !ok {
		return nil, &config.Fault{Path: path, Err: errors.New("must be a mapping of names to values")}
	}

	read := make(map[string]any, len(set))

	var faults []error

	for _, name := range slices.Sorted(maps.Keys(set)) {
		at := path + "." + name

		field := fieldNamed(message, name)
		if field == nil {
			faults = append(faults, &config.Fault{Path: at, Err: fmt.Errorf("there is no such field%s", nameHint(name, message))})

			continue
		}

		inner, err := overrideValue(at, field, set[name])
		read[name], faults = inner, append(faults, err)
	}

	return read, errors.Join(faults...)
}

// fieldNamed finds a field by its name in protos or in JSON. Nil: there is none.
func fieldNamed(message protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if field := message.Fields().ByJSONName(name); field != nil {
		return field
	}

	return message.Fields().ByName(protoreflect.Name(name))
}

// nameHint says which fields there are, as the end of a sentence.
func nameHint(name string, message protoreflect.MessageDescriptor) string {
	names := make([]string, message.Fields().Len())
	for i := range names {
		names[i] = string(message.Fields().Get(i).Name())
	}

	if meant := hint.DidYouMean(name, names); meant != "" {
		return meant
	}

	return "; there are " + strings.Join(names, ", ")
}

// overrideDuration reads a duration as it is written in the rest of the configuration.
func overrideDuration(value any) (any, error) {
	t, text := reflect.TypeFor[time.Duration](), fmt.Sprint(value)
	if !hint.IsValue(t, text) {
		return nil, hint.ValueError(t, text)
	}

	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, err
	}

	quoted, err := protojson.Marshal(durationpb.New(d))

	return strings.Trim(string(quoted), `"`), err
}

func checkEnum(enum protoreflect.EnumDescriptor, value any) error {
	name, ok := value.(string)

	names := make([]string, enum.Values().Len())
	for i := range names {
		names[i] = string(enum.Values().Get(i).Name())
	}

	if ok && slices.Contains(names, name) {
		return nil
	}

	reason := fmt.Sprintf("%q is not one of %s", fmt.Sprint(value), strings.Join(names, ", "))

	// "low" for PRIORITY_LOW.
	for _, full := range names {
		if strings.HasSuffix(full, "_"+strings.ToUpper(name)) {
			return fmt.Errorf("%s; did you mean %q?", reason, full)
		}
	}

	return errors.New(reason + hint.DidYouMean(name, names))
}

func checkScalar(field protoreflect.FieldDescriptor, value any) error {
	var t reflect.Type

	switch field.Kind() {
	case protoreflect.BoolKind:
		t = reflect.TypeFor[bool]()
	case protoreflect.Int32Kind:
		t = reflect.TypeFor[int32]()
	case protoreflect.Int64Kind:
		t = reflect.TypeFor[int64]()
	case protoreflect.Uint32Kind:
		t = reflect.TypeFor[uint32]()
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		t = reflect.TypeFor[float64]()
	default:
		if _, ok := value.(string); !ok {
			return fmt.Errorf("must be a text; write %q with the quotation marks", fmt.Sprint(value))
		}

		return nil
	}

	if text := fmt.Sprint(value); !hint.IsValue(t, text) {
		return hint.ValueError(t, text)
	}

	return nil
}
