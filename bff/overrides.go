package bff

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// overridable are the fields of portico.v1.MethodPolicy that an operator may set.
func overridable() []protoreflect.Name {
	return []protoreflect.Name{
		"breaker", "cache", "field_selection", "max_body_bytes", "priority", "rate_limits", "retry", "timeout",
	}
}

// overrides reads the configured policies. The error names every fault.
func overrides(configured []config.Policy) ([]policy.Override, error) {
	out := make([]policy.Override, 0, len(configured))

	var faults []error

	for i, c := range configured {
		set, err := methodPolicy(c.Set)
		if err != nil {
			faults = append(faults, fmt.Errorf("policies[%d].set: %w", i, err))

			continue
		}

		out = append(out, policy.Override{Selector: c.Selector, Policy: set})
	}

	return out, errors.Join(faults...)
}

func methodPolicy(set map[string]any) (*porticov1.MethodPolicy, error) {
	text, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("cannot be written as JSON: %w", err)
	}

	out := &porticov1.MethodPolicy{}
	if err := protojson.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("is no portico.v1.MethodPolicy: %w", err)
	}

	out.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if !slices.Contains(overridable(), field.Name()) {
			err = fmt.Errorf("%s is the schema's alone; what can be set are %q", field.Name(), overridable())
		}

		return err == nil
	})

	return out, err
}
