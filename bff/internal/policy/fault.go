package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Kinds of faults that have a rule of their own in portico lint.
var (
	// ErrNoAccess: neither a method nor its service says who may call it.
	ErrNoAccess = errors.New("no portico.v1 access policy on the method or its service")
	// ErrRetryUnsafe: a method asks for retries or hedging, and nothing in the schema says that they are safe.
	ErrRetryUnsafe = errors.New("another call is not safe")
)

// Fault is what is wrong with the policy of a route.
type Fault struct { //nolint:errname // As schema.Fault.
	// Route has no HTTP method and path if the method has no route.
	Route schema.Route
	// Field is the path of the field of portico.v1.MethodPolicy that is at fault, "rate_limits[0].per". Empty: the policy as a
	// whole.
	Field string
	// Err says what is wrong.
	Err error
	// Hint is the end of the text of Err if that says which name was probably meant. It may differ by the route.
	Hint string
}

// Error implements error.
func (f *Fault) Error() string {
	if f.Field == "" {
		return f.Err.Error()
	}

	return f.Field + ": " + f.Err.Error()
}

// Unwrap implements errors.
func (f *Fault) Unwrap() error { return f.Err }

// Same reports whether two faults are the same but for their routes and hints.
func (f *Fault) Same(other *Fault) bool {
	return f.Field == other.Field &&
		strings.TrimSuffix(f.Err.Error(), f.Hint) == strings.TrimSuffix(other.Err.Error(), other.Hint)
}

// Error is an error that joins faults; nil if there are none.
func Error(faults []*Fault) error {
	errs := make([]error, 0, len(faults))
	for _, f := range faults {
		err := fmt.Errorf("policy of %s: %w", f.Route.Descriptor.FullName(), f)
		if f.Route.Bound() {
			err = fmt.Errorf("route %s: %w", f.Route, err)
		}

		errs = append(errs, err)
	}

	return errors.Join(errs...)
}

// kindError is an error with a text of its own that is of a kind.
type kindError struct {
	text string
	kind error
}

func (e kindError) Error() string { return e.text }
func (e kindError) Unwrap() error { return e.kind }

// faultf adds a fault of a field.
func (c *compiler) faultf(field, format string, args ...any) {
	fault := &Fault{Route: c.route, Field: field, Err: fmt.Errorf(format, args...)}

	for _, arg := range args {
		if meant, ok := arg.(interface{ Hint() string }); ok {
			fault.Hint = meant.Hint()
		}
	}

	c.faults = append(c.faults, fault)
}

// suggestion is an argument of faultf: which name was probably meant.
type suggestion string

// Hint returns the end of the text.
func (s suggestion) Hint() string { return string(s) }
