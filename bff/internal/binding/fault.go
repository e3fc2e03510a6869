package binding

import (
	"errors"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/jsonpb"
)

// Where a fault is.
const (
	InPath  = "path"
	InQuery = "query"
	InBody  = "body"
)

// Fault is what is wrong with a part of a request. Its texts are for the client.
type Fault struct {
	// In is InPath, InQuery or InBody.
	In string
	// Name is the variable, the parameter or the JSON path. Empty: the whole of it is meant.
	Name string
	// Reason says what is wrong.
	Reason string
}

// Faults are all that was found wrong with a request. There is at least one.
type Faults []Fault

// Error lists them.
func (f Faults) Error() string {
	texts := make([]string, len(f))
	for i, fault := range f {
		texts[i] = fault.In + " " + fault.Name + ": " + fault.Reason
	}

	return strings.Join(texts, "; ")
}

// bodyFaults makes faults of an error of the codec.
func bodyFaults(err error) error {
	fault := (*jsonpb.Error)(nil)
	if !errors.As(err, &fault) {
		return err
	}

	if fault.Syntax {
		return Faults{{In: InBody, Reason: fault.Error()}}
	}

	return Faults{{In: InBody, Name: fault.Path, Reason: fault.Reason}}
}

// reason is what an error of the codec says about the value as a whole.
func reason(err error) string { return err.Error() }

// spell joins the JSON names of fields.
func spell(fields []protoreflect.FieldDescriptor) string {
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = field.JSONName()
	}

	return strings.Join(names, ".")
}
