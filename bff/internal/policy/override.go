package policy

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Override changes the policies of some methods.
type Override struct {
	// Selector is the full name of a method, or that of a service or a package with ".*" behind it, or "*".
	Selector string
	// Policy holds the fields to replace.
	Policy *porticov1.MethodPolicy
	// Cleared are fields whose values are replaced by nothing, such as the list of rate limits by an empty one.
	Cleared []protoreflect.FieldDescriptor
	// Setting is its path in the configuration, such as "policies[0]".
	Setting string
}

// Selects reports whether the override is for a method.
func (o Override) Selects(method protoreflect.FullName) bool {
	parent, many := strings.CutSuffix(o.Selector, "*")
	if !many {
		return o.Selector == string(method)
	}

	return parent == "" || strings.HasSuffix(parent, ".") && strings.HasPrefix(string(method), parent)
}
