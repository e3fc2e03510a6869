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
	"google.golang.org/protobuf/reflect/protoreflect"

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
	out := make([]policy.Override, 0, len(configured))

	var faults []error

	for i, c := range configured {
		setting := fmt.Sprintf("policies[%d]", i)

		set, err := methodPolicy(setting+".set", c.Set)
		out, faults = append(out, policy.Override{Selector: c.Selector, Policy: set, Setting: setting}), append(faults, err)
	}

	return out, errors.Join(faults...)
}

// methodPolicy reads the fields that are set, each by itself, so that the error names all that are wrong.
func methodPolicy(setting string, set map[string]any) (*porticov1.MethodPolicy, error) {
	out := &porticov1.MethodPolicy{}

	var faults []error

	for _, name := range slices.Sorted(maps.Keys(set)) {
		if err := setField(out, name, set[name]); err != nil {
			faults = append(faults, &config.Fault{Path: setting + "." + name, Err: err})
		}
	}

	return out, errors.Join(faults...)
}

func setField(out *porticov1.MethodPolicy, name string, value any) error {
	fields := out.ProtoReflect().Descriptor().Fields()

	field := fields.ByJSONName(name)
	if field == nil {
		field = fields.ByName(protoreflect.Name(name))
	}

	switch {
	case field == nil:
		return fmt.Errorf("there is no such field of a policy%s", fieldHint(name))
	case !slices.Contains(overridable(), string(field.Name())):
		return fmt.Errorf("is the schema's alone%s", fieldHint(""))
	}

	text, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		return fmt.Errorf("cannot be written as JSON: %w", err)
	}

	read := &porticov1.MethodPolicy{}
	if err := protojson.Unmarshal(text, read); err != nil {
		return fmt.Errorf("is no value of portico.v1.MethodPolicy: %w", err)
	}

	proto.Merge(out, read)

	return nil
}

// fieldHint says which fields there are, as the end of a sentence.
func fieldHint(name string) string {
	if meant := hint.DidYouMean(name, overridable()); meant != "" {
		return meant
	}

	return "; what can be set are " + strings.Join(overridable(), ", ")
}
