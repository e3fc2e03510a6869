package schema

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

var (
	errNoBody     = errors.New("there is none in a request with")
	errMapInPath  = errors.New("is a map, which a path cannot hold")
	errNestedBody = errors.New("is a path of several names: only a field of the message itself can be it")
)

// Fault is a fault of the pattern of the route.
func (r Route) Fault(err error) *Fault { return r.declared.fault(r.Descriptor, 0, err) }

// BodyFault is a fault of the body of the route.
func (r Route) BodyFault(err error) *Fault { return r.declared.fault(r.Descriptor, numberOfBody, err) }

// Rule is the rule that the route is of, if that is not in the proto; else nil.
func (r Route) Rule() *Rule { return r.declared.source }

// CheckFields returns what is wrong with the fields that the route names.
func (r Route) CheckFields() []*Fault {
	var faults []*Fault

	add := func(number int32, what string, err error) {
		if err != nil {
			faults = append(faults, r.declared.fault(r.Descriptor, number, fmt.Errorf("%s: %w", what, err)))
		}
	}

	var paths []FieldPath

	for _, name := range r.Template.Variables() {
		path, err := ResolveVariable(r.Descriptor.Input(), name)
		if err == nil {
			err = checkOneof(paths, path)
			paths = append(paths, path)
		}

		add(0, "path variable "+name, err)
	}

	switch {
	case r.Body == "":
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		add(numberOfBody, "body", fmt.Errorf("%w %s", errNoBody, r.Method))
	case r.Body != "*":
		add(numberOfBody, "body", checkBody(r.Descriptor.Input(), r.Body))
	}

	if r.ResponseBody != "" {
		add(numberOfResponseBody, "response_body", checkBody(r.Descriptor.Output(), r.ResponseBody))
	}

	return faults
}

// ResolveVariable finds the field of a path variable, by names of the proto alone, and checks that it can be one.
func ResolveVariable(message protoreflect.MessageDescriptor, name string) (FieldPath, error) {
	path, err := resolve(message, name, func(message protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
		return message.Fields().ByName(protoreflect.Name(name))
	})

	switch {
	case errors.Is(err, ErrNotMessage):
		return nil, fmt.Errorf("%s %w", path.Last().Name(), err)
	case err != nil:
		return nil, noField(path.next(message, name))
	}

	switch field := path.Last(); {
	case field.IsMap():
		return nil, errMapInPath
	case field.Message() != nil && !isText(field.Message()):
		return nil, fmt.Errorf("is the message %s, which a path cannot hold: name one of its fields", field.Message().FullName())
	default:
		return path, nil
	}
}

// checkOneof refuses a path that leads to another member of a oneof than one of the others: only one of them can be set.
func checkOneof(others []FieldPath, path FieldPath) error {
	for _, other := range others {
		for i := range min(len(path), len(other)) {
			if path[i] == other[i] {
				continue
			}

			if oneof := path[i].ContainingOneof(); oneof != nil && oneof == other[i].ContainingOneof() {
				return fmt.Errorf("is a second member of the oneof %q, as %s is", oneof.Name(), other[i].Name())
			}

			break
		}
	}

	return nil
}

// isText reports whether a message is written as a text that a path can hold.
func isText(message protoreflect.MessageDescriptor) bool {
	if message.ParentFile().Package() != "google.protobuf" {
		return false
	}

	return message.Name() == "Timestamp" || message.Name() == "Duration" ||
		message.ParentFile().Path() == "google/protobuf/wrappers.proto"
}

func checkBody(message protoreflect.MessageDescriptor, name string) error {
	switch {
	case message.Fields().ByName(protoreflect.Name(name)) != nil:
		return nil
	case strings.Contains(name, "."):
		return fmt.Errorf("%q %w", name, errNestedBody)
	default:
		return noField(message, name)
	}
}

func noField(message protoreflect.MessageDescriptor, name string) error {
	names := slices.Sorted(slices.Values(FieldNames(message)))

	return fmt.Errorf("%s has no field %q%s", message.FullName(), name, hint.DidYouMean(name, names))
}
