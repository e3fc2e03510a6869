package schema

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// What is wrong with routes beside others with the same HTTP method.
var (
	// ErrAmbiguous: two routes contend for a path, and nothing decides between them.
	ErrAmbiguous = errors.New("ambiguous routes")
	// ErrUnreachable: other routes, which are more specific, have all paths of a route.
	ErrUnreachable = errors.New("unreachable route")
)

// CheckRoutes refuses routes that contend for paths (see CheckPair) and, if there are none, those that can never be reached. The
// error joins an *AmbiguousError or an *UnreachableError for each.
func CheckRoutes(routes []Route) error {
	var faults []error

	for i, a := range routes {
		for _, b := range routes[i+1:] {
			faults = append(faults, CheckPair(a, b))
		}
	}

	if err := errors.Join(faults...); err != nil {
		return err
	}

	for _, hidden := range UnreachableRoutes(routes) {
		faults = append(faults, hidden)
	}

	return errors.Join(faults...)
}

// AmbiguousError is about two routes that contend for paths.
type AmbiguousError struct {
	Route, Other Route
	// equal reports whether they match the same paths, and not only some in common.
	equal bool
}

// Error implements error.
func (e *AmbiguousError) Error() string {
	how := "match some paths in common, and neither is more specific"
	if e.equal {
		how = "match the same paths"
	}

	return fmt.Sprintf("%v: %s (%s) and %s (%s) %s", ErrAmbiguous, e.Other, e.Other.RPC, e.Route, e.Route.RPC, how)
}

// Unwrap returns ErrAmbiguous.
func (e *AmbiguousError) Unwrap() error { return ErrAmbiguous }

// CheckPair refuses two routes of the same HTTP method whose templates match the same paths, or have some in common without one
// being a special case of the other or having a verb that the other has not. The error is an *AmbiguousError, with b as its route.
func CheckPair(a, b Route) error {
	if a.Method != b.Method {
		return nil
	}

	switch relation := pathtemplate.Relate(a.Template, b.Template); {
	case relation == pathtemplate.Equal:
		return &AmbiguousError{Route: b, Other: a, equal: true}
	case relation == pathtemplate.Overlap && !a.Template.VerbDecides(b.Template):
		return &AmbiguousError{Route: b, Other: a}
	default:
		return nil
	}
}

// UnreachableError is about a route that no request gets.
type UnreachableError struct {
	Route Route
	// Others are more specific and have all its paths.
	Others []Route
}

// Error implements error.
func (e *UnreachableError) Error() string {
	others := make([]string, 0, len(e.Others))
	for _, other := range e.Others {
		others = append(others, fmt.Sprintf("%s (%s)", other, other.RPC))
	}

	return fmt.Sprintf("%v: %s (%s): more specific routes match all its paths: %s", ErrUnreachable, e.Route, e.Route.RPC,
		strings.Join(others, ", "))
}

// Unwrap returns ErrUnreachable.
func (e *UnreachableError) Unwrap() error { return ErrUnreachable }

// UnreachableRoutes returns the routes that no request gets, by method. No two of the routes may contend.
func UnreachableRoutes(routes []Route) []*UnreachableError {
	methods := map[string][]Route{}
	for _, r := range routes {
		methods[r.Method] = append(methods[r.Method], r)
	}

	var out []*UnreachableError //nolint:prealloc // There is none, as a rule.

	for _, method := range slices.Sorted(maps.Keys(methods)) {
		out = append(out, unreachable(methods[method])...)
	}

	return out
}

// unreachable looks at routes of one method.
func unreachable(routes []Route) []*UnreachableError {
	templates := make([]pathtemplate.Template, 0, len(routes))
	for _, r := range routes {
		templates = append(templates, r.Template)
	}

	before := pathtemplate.Unreachable(templates)

	var out []*UnreachableError

	for i, r := range routes {
		if len(before[i]) == 0 {
			continue
		}

		hidden := &UnreachableError{Route: r}
		for _, j := range before[i] {
			hidden.Others = append(hidden.Others, routes[j])
		}

		out = append(out, hidden)
	}

	return out
}
