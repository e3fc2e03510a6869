package session

import (
	"fmt"
	"maps"
	"net/url"
	"slices"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// unknownParameter returns the problem of a query with another parameter than these, which would have no effect: a wrong spelling
// of return_to or everywhere is not noticed otherwise. Nil: there is none.
func unknownParameter(query url.Values, known ...string) *problem.Problem {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(known, name) {
			return problem.New(codes.InvalidArgument, fmt.Sprintf("unknown parameter %.50q", name))
		}
	}

	return nil
}
