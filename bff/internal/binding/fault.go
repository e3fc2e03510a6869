package binding

import (
	"errors"
	"slices"
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

// MaxFaults is how many faults of a kind are told of.
const MaxFaults = 100

// moreFaults stands behind the faults that are told of if there are more of their kind, or may be.
var moreFaults = Fault{In: "…"} //nolint:gochecknoglobals // Constant.

// Fault is what is wrong with a part of a request. Its texts are for the client.
type Fault struct {
	// In is one of the above.
	In string
	// Name is the variable, the parameter, the header or the JSON path. Empty: the whole of it is meant.
	Name string
	// Reason says what is wrong.
	Reason string
	// TooLarge tells that it would take more memory than the request may.
	TooLarge bool
}

// Faults are all that was found wrong with a request. There is at least one.
type Faults []Fault //nolint:errname,recvcheck // Each is a fault; together they are an error, to which Add adds.

// Error lists them.
func (f Faults) Error() string {
	told, more := f.Told()
	texts := make([]string, 0, len(told)+1)

	for _, fault := range told {
		texts = append(texts, fault.In+" "+fault.Name+": "+fault.Reason)
	}

	if more {
		texts = append(texts, "and maybe more")
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

	return Faults{{In: InBody, Name: fault.Path, Reason: fault.Reason, TooLarge: fault.TooLarge}}
}

// reason is what an error of the codec says about the value as a whole.
func reason(err error) string { return err.Error() }

// Told returns the faults that clients are told of, and reports whether there are more, or may be.
func (f Faults) Told() (told Faults, more bool) {
	told = slices.DeleteFunc(slices.Clone(f), func(fault Fault) bool { return fault == moreFaults })

	return told, len(told) < len(f)
}

// Add takes over the faults of an error, if they are what it is; any other error is returned.
func (f *Faults) Add(err error) error {
	found := Faults(nil)
	if err == nil || !errors.As(err, &found) {
		return err
	}

	*f = append(*f, found...)

	return nil
}
