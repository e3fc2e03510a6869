package bff

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/bff/internal/policy"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// overridable are the fields of portico.v1.MethodPolicy that an operator may set.
func overridable() []string {
	return []string{"breaker", "cache", "field_selection", "max_body_bytes", "priority", "rate_limits", "retry", "timeout"}
}

// overrides reads the configured policies. The error joins every fault; what could be read is returned all the same.
func overrides(configured []config.Policy) ([]policy.Override, error) {
	out, faults := make([]policy.Override, 0, len(configured)), make([]error, 0, len(configured))

	for i, c := range configured {
		setting := fmt.Sprintf("policies[%d]", i)

		o := policy.Override{Selector: c.Selector, Policy: &porticov1.MethodPolicy{}, Setting: setting}

		// Each field by itself, so that the error names all that are wrong.
		for _, name := range slices.Sorted(maps.Keys(c.Set)) {
			faults = append(faults, setField(&o, name, c.Set[name]))
		}

		out = append(out, o)
	}

	return out, errors.Join(faults...)
}

// setField reads a field of a policy into an override.
func setField(o *policy.Override, name string, value any) error {
	path := o.Setting + ".set." + name

	field := fieldNamed(o.Policy.ProtoReflect().Descriptor(), name)

	switch {
	case field == nil:
		return &config.Fault{Path: path, Err: fmt.Errorf("there is no such field of a policy%s", fieldHint(name))}
	case !slices.Contains(overridable(), string(field.Name())):
		return &config.Fault{Path: path, Err: fmt.Errorf("is the schema's alone%s", fieldHint(""))}
	}

	value, err := plainJSON(value)
	if err != nil {
		return &config.Fault{Path: path, Err: fmt.Errorf("cannot be written as JSON: %w", err)}
	}

	if value, err = overrideValue(path, field, value); err != nil {
		return err
	}

	text, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		return &config.Fault{Path: path, Err: err}
	}

	read := &porticov1.MethodPolicy{}
	if err := protojson.Unmarshal(text, read); err != nil {
		return &config.Fault{Path: path, Err: fmt.Errorf("is no value of portico.v1.MethodPolicy: %w", err)}
	}

	proto.Merge(o.Policy, read)

	// An empty list, or a zero of a field that does not know whether it is set.
	if !read.ProtoReflect().Has(field) {
		o.Cleared = append(o.Cleared, field)
	}

	return nil
}

// fieldHint says which fields there are, as the end of a sentence.
func fieldHint(name string) string {
	if meant := hint.DidYouMean(name, overridable()); meant != "" {
		return meant
	}

	return "; what can be set are " + strings.Join(overridable(), ", ")
}
