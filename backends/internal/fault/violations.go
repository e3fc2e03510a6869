package fault

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
)

// maxViolations bounds the details of one answer: they travel in HTTP/2 trailers, which many peers limit to 8 KiB.
const maxViolations = 20

// Violation names a field that is wrong, in the spelling of the proto ("items[0].quantity"), and says what it has to be.
type Violation struct {
	Field       string
	Description string
}

// Violations collects what is wrong with a request, so that the client hears of all of it at once. The zero value is ready to use.
// It is not safe for concurrent use.
type Violations struct {
	list []Violation
}

// Addf notes that a field is wrong. Only the first 20 violations are kept. The texts should not repeat unbounded input.
func (v *Violations) Addf(field, format string, args ...any) {
	if len(v.list) < maxViolations {
		v.list = append(v.list, Violation{Field: field, Description: fmt.Sprintf(format, args...)})
	}
}

// Err is nil if nothing was added, else an INVALID_ARGUMENT with every violation.
func (v *Violations) Err() error {
	if len(v.list) == 0 {
		return nil
	}

	texts := make([]string, 0, len(v.list))
	for _, one := range v.list {
		texts = append(texts, one.Field+" "+one.Description)
	}

	return &Error{
		code:       codes.InvalidArgument,
		message:    "invalid request: " + strings.Join(texts, "; "),
		violations: v.list,
	}
}
