package conformance

import (
	"errors"
	"fmt"
)

// CheckExamples compares the examples of bodies and answers in JSON with the schemas beside them, and returns how many there are.
func (c *Checker) CheckExamples() (int, error) {
	var (
		count  int
		faults []error
	)

	check := func(what string, content map[string]*media) {
		for name, form := range content {
			if !form.exemplified || !isJSON(name) {
				continue
			}

			count++

			if err := validate(form.schema, form.example); err != nil {
				faults = append(faults, fmt.Errorf("the example of %s: %w", what, err))
			}
		}
	}

	for _, op := range c.operations {
		check("the body of "+op.String(), op.body)

		for status, answer := range op.answers {
			check("the answer "+status+" of "+op.String(), answer.content)
		}
	}

	return count, errors.Join(faults...)
}
