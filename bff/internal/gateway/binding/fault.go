package binding

import (
	"errors"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// Where a fault is.
const (
	InPath   = "path"
	InQuery  = "query"
	InBody   = "body"
	InHeader = "header"
)

// MaxFaults is how many faults of a kind are reported.
const MaxFaults = 100

// Fault is what is wrong with a part of a request. Its texts are for the client.
type Fault struct {
	// In is one of the above.
	In string
	// Name is the variable, the parameter, the header or the JSON path. Empty: all of that part of the request.
	Name string
	// Reason says what is wrong.
	Reason string
	// TooLarge reports whether it would take more memory than the request may.
	TooLarge bool
}

// Faults are what was found wrong with a request. As an error they list at least one.
type Faults struct { //nolint:errname,recvcheck // Each is a fault; together they are an error, to which Add adds.
	List []Fault
	// More reports whether there are more than the list has, or may be.
	More bool
}

// error returns the fault as an error.
func (f Fault) error() error { return Faults{List: []Fault{f}} }

// error returns the first MaxFaults as an error, or nil if there are none.
func (f Faults) error() error {
	if len(f.List) == 0 {
		return nil
	}

	if len(f.List) > MaxFaults {
		f = Faults{List: f.List[:MaxFaults], More: true}
	}

	return f
}

// Error implements error.
func (f Faults) Error() string {
	texts := make([]string, 0, len(f.List)+1)

	for _, fault := range f.List {
		texts = append(texts, fault.In+" "+fault.Name+": "+fault.Reason)
	}

	if f.More {
		texts = append(texts, "and maybe more")
	}

	return strings.Join(texts, "; ")
}

// bodyFaults converts an error of the codec.
func bodyFaults(err error) error {
	fault := (*protojson.Error)(nil)
	if !errors.As(err, &fault) {
		return err
	}

	if fault.Syntax {
		return Fault{In: InBody, Reason: fault.Error()}.error()
	}

	return Fault{In: InBody, Name: fault.Path, Reason: fault.Reason, TooLarge: fault.TooLarge}.error()
}

// Add adds the faults of an error that is Faults, and returns any other error.
func (f *Faults) Add(err error) error {
	if err == nil {
		return nil
	}

	found := Faults{}
	if !errors.As(err, &found) {
		return err
	}

	f.List = append(f.List, found.List...)
	f.More = f.More || found.More

	return nil
}
