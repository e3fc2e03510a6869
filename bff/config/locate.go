package config

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// LocatedFault is something wrong with the configuration, with where it was set. It can be written as JSON.
type LocatedFault struct { //nolint:errname // It is a Fault.
	Origin

	// Path is the setting as in the file. Empty if the fault is not about one setting.
	Path string `json:"path,omitempty"`
	// Reason says what is wrong.
	Reason string `json:"reason"`

	err error
}

// Error returns "portico.yaml:3:5: server.drain_delay: must be …", or the name of an environment variable instead of the place.
func (f *LocatedFault) Error() string {
	var parts []string

	for _, part := range []string{f.String(), f.Path, f.Reason} {
		if part != "" {
			parts = append(parts, part)
		}
	}

	return strings.Join(parts, ": ")
}

// Unwrap returns the error that was located.
func (f *LocatedFault) Unwrap() error { return f.err }

// Locate returns the error with the place or the variable before each fault that is in it, joined and in the order of the file.
// Errors that are about no setting keep their text. Nil stays nil.
func (o *Origins) Locate(err error) error {
	faults := o.Faults(err)
	located := make([]error, len(faults))

	for i, fault := range faults {
		located[i] = fault
	}

	return errors.Join(located...)
}

// Faults lists the faults that are joined in an error, as Locate does.
func (o *Origins) Faults(err error) []*LocatedFault {
	parts := split(err)
	faults := make([]*LocatedFault, len(parts))

	for i, part := range parts {
		faults[i] = o.locate(part)
	}

	slices.SortStableFunc(faults, func(a, b *LocatedFault) int {
		return cmp.Or(compareLast(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})

	return faults
}

// compareLast compares line numbers. Zero comes after all others.
func compareLast(a, b int) int { return cmp.Compare(uint(a)-1, uint(b)-1) }

func (o *Origins) locate(err error) *LocatedFault {
	if located, ok := errors.AsType[*LocatedFault](err); ok {
		return located
	}

	if fault, ok := err.(*Fault); ok { //nolint:errorlint // The text around one is told below.
		return &LocatedFault{Origin: o.Of(fault.Path), Path: fault.Path, Reason: fault.Err.Error(), err: err}
	}

	located := &LocatedFault{Reason: err.Error(), err: err}
	if fault, ok := errors.AsType[*Fault](err); ok {
		located.Origin = o.Of(fault.Path) // The text has the path.
	}

	return located
}

// split returns the errors that are joined in an error, at any depth. A text around several is left out.
func split(err error) []error {
	if err == nil {
		return nil
	}

	for inner, outermost := err, true; inner != nil; inner, outermost = errors.Unwrap(inner), false {
		var parts []error
		for _, part := range joined(inner) {
			parts = append(parts, split(part)...)
		}

		if len(parts) > 1 || len(parts) == 1 && outermost {
			return parts
		}

		if _, is := inner.(*Fault); is { //nolint:errorlint // What is in a fault is its reason.
			break
		}
	}

	return []error{err}
}

// joined returns the errors that errors.Join joined.
func joined(err error) []error {
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}

	parts := several.Unwrap()

	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = part.Error()
	}

	// fmt.Errorf puts other words between several errors.
	if strings.Join(texts, "\n") != err.Error() {
		return nil
	}

	return parts
}
