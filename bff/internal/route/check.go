package route

import (
	"errors"
	"fmt"

	"github.com/portico-gateway/portico/bff/internal/pathtemplate"
)

// ErrAmbiguous tells that two routes with the same HTTP method contend for a path and neither is more specific.
var ErrAmbiguous = errors.New("ambiguous routes")

// Check refuses routes of the same HTTP method of which the templates match the same paths, or have some in common without one
// being a special case of the other. The error names every such pair.
func Check(routes []Route) error {
	var faults []error

	for i, a := range routes {
		for _, b := range routes[i+1:] {
			if a.Method == b.Method {
				faults = append(faults, contend(a, b))
			}
		}
	}

	return errors.Join(faults...)
}

func contend(a, b Route) error {
	switch pathtemplate.Relate(a.Template, b.Template) {
	case pathtemplate.Equal:
		return fmt.Errorf("%w: %s (%s) and %s (%s) match the same paths", ErrAmbiguous, a, a.RPC, b, b.RPC)
	case pathtemplate.Overlap:
		return fmt.Errorf("%w: %s (%s) and %s (%s) match some paths in common, and neither is more specific",
			ErrAmbiguous, a, a.RPC, b, b.RPC)
	case pathtemplate.Disjoint, pathtemplate.ASubset, pathtemplate.BSubset:
		return nil
	default:
		return nil
	}
}
