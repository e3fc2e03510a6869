package binding

import (
	"errors"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/jsonpb"
)

// Where a fault is.
const (
	InPath  = "path"
	InQuery = "query"
	InBody  = "body"
	// InHeader is a header that sets a field.
	InHeader = "header"
)

// Fault is what is wrong with a part of a request. Its texts are for the client.
type Fault struct {
	// In is one of the above.
	In string
	// Name is the variable, the parameter, the header or the JSON path. Empty: the whole of it is meant.
	Name string
	// Reason says what is wrong.
	Reason string
}

// Faults are all that was found wrong with a request. There is at least one.
type Faults []Fault //nolint:errname,recvcheck // Each is a fault; together they are an error, to which Add adds.

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

// Add takes over the faults of an error, if they are what it is; any other error is returned.
func (f *Faults) Add(err error) error {
	found := Faults(nil)
	if err == nil || !errors.As(err, &found) {
		return err
	}

	*f = append(*f, found...)

	return nil
}
