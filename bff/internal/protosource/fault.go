package protosource

import (
	"cmp"
	"errors"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile/reporter"

	"github.com/portico-gateway/portico/bff/internal/protopos"
)

// Fault is what is wrong with a source.
type Fault struct {
	protopos.Position

	Message string
}

// String is the fault on one line, as editors understand it: "file:line:column: message".
func (f Fault) String() string { return f.Position.String() + ": " + f.Message }

// FaultsError is the error of sources that do not compile: everything that is wrong, by position.
type FaultsError []Fault

// Error implements error. Each fault has its line.
func (e FaultsError) Error() string {
	lines := make([]string, 0, len(e))
	for _, fault := range e {
		lines = append(lines, fault.String())
	}

	return strings.Join(lines, "\n")
}

// other is another place that a message names.
var other = regexp.MustCompile(`[^\s"]+\.proto:\d+:\d+`)

// Below returns an error that names the files by their paths below a folder, if it is about sources; else the error itself.
func Below(dir string, err error) error {
	faults, ok := errors.AsType[FaultsError](err)
	if !ok {
		return err
	}

	below := make(FaultsError, 0, len(faults))

	for _, fault := range faults {
		fault.Position = fault.Below(dir)
		fault.Message = other.ReplaceAllStringFunc(fault.Message, func(at string) string {
			return path.Join(filepath.ToSlash(dir), at)
		})
		below = append(below, fault)
	}

	return below
}

// positioned makes a fault of an error of the compiler.
func positioned(err reporter.ErrorWithPos) Fault {
	at := err.GetPosition()

	return Fault{
		Position: protopos.Position{File: at.Filename, Line: at.Line, Column: at.Col}, Message: err.Unwrap().Error(),
	}
}

// sorted are faults by position, each once.
func sorted(faults []Fault) FaultsError {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})

	return slices.Compact(faults)
}
