package policy

import (
	"errors"
	"fmt"
	"strings"
)

// What is wrong with the name of a scope or a role.
var (
	errNameEmpty = errors.New("is empty")
	errNameSpace = errors.New("has a space, which separates names (RFC 6749, section 3.3): list each on its own")
)

// checkName refuses what is no scope-token (RFC 6749, section 3.3). It holds for roles as well: lists of both are texts with spaces
// between the names, in tokens and in the metadata of backends.
func checkName(name string) error {
	if name == "" {
		return errNameEmpty
	}

	if strings.Contains(name, " ") {
		return errNameSpace
	}

	for _, c := range name {
		// scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
		if c < '!' || c > '~' || c == '"' || c == '\\' {
			return fmt.Errorf("has the character %q, which is not allowed (RFC 6749, section 3.3)", c)
		}
	}

	return nil
}

// names refuses lists of names that require nothing, or what nobody can have.
func (c *compiler) names(where, what string, set bool, anyOf, allOf []string) {
	if set && len(anyOf)+len(allOf) == 0 {
		c.faultf(where, "names no %s", what)
	}

	for i, name := range anyOf {
		c.name(fmt.Sprintf("%s.any_of[%d]", where, i), what, name)
	}

	for i, name := range allOf {
		c.name(fmt.Sprintf("%s.all_of[%d]", where, i), what, name)
	}
}

func (c *compiler) name(where, what, name string) {
	if err := checkName(name); err != nil {
		c.faultf(where, "the %s %q %w", what, name, err)
	}
}
