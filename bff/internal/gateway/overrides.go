package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/bff/internal/policy"
)

// overrideFaults returns the faults of the overrides, a *config.Fault each, and the other faults of policies.
func overrideFaults(
	faults []*policy.Fault, methods map[string]*policy.Method, overrides []policy.Override,
) (others []*policy.Fault, own []error) {
	var blamed []blame

	for _, fault := range faults {
		setting := overriding(fault, overrides)

		same := slices.IndexFunc(blamed, func(b blame) bool { return b.setting == setting && b.fault.Same(fault) })

		switch {
		case setting == "":
			others = append(others, fault)
		case same < 0:
			blamed = append(blamed, blame{setting: setting, fault: fault, methods: []string{fault.Route.RPC}})
		case !slices.Contains(blamed[same].methods, fault.Route.RPC):
			blamed[same].methods = append(blamed[same].methods, fault.Route.RPC)
		}
	}

	for _, b := range blamed {
		own = append(own, b.error())
	}

	return others, append(own, unselected(methods, overrides)...)
}

// blame is a fault of a policy that comes from a setting, and the methods that have it for that.
type blame struct {
	setting string
	fault   *policy.Fault
	methods []string
}

func (b blame) error() error {
	more := ""
	if others := len(b.methods) - 1; others > 0 {
		more = fmt.Sprintf(" and %d more", others)
	}

	return &config.Fault{
		Path: b.setting, Err: fmt.Errorf("%w (policy of %s%s)", b.fault.Err, strings.TrimPrefix(b.methods[0], "/"), more),
	}
}

// overriding returns the setting that the field of a fault comes from. Empty: that is not one.
func overriding(fault *policy.Fault, overrides []policy.Override) string {
	end := strings.IndexAny(fault.Field, ".[")
	if end < 0 {
		end = len(fault.Field)
	}

	for _, o := range slices.Backward(overrides) {
		field := o.Policy.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(fault.Field[:end]))
		if field != nil && o.Policy.ProtoReflect().Has(field) && o.Selects(fault.Route.Descriptor.FullName()) {
			return o.Setting + ".set." + fault.Field
		}
	}

	return ""
}

// unselected returns the faults of overrides that select no method.
func unselected(methods map[string]*policy.Method, overrides []policy.Override) []error {
	var faults []error

	all := slices.Collect(maps.Values(methods))

	for _, o := range overrides {
		// That one is missing is said elsewhere.
		if o.Selector == "" || slices.ContainsFunc(all, func(m *policy.Method) bool { return o.Selects(m.Descriptor.FullName()) }) {
			continue
		}

		faults = append(faults, &config.Fault{
			Path: o.Setting + ".selector", Err: fmt.Errorf("%q selects no method%s", o.Selector, meant(o.Selector, all)),
		})
	}

	return faults
}

// meant says which selector was probably meant, as the end of a sentence. May be empty.
func meant(selector string, methods []*policy.Method) string {
	var names, ends []string

	for _, m := range methods {
		name := string(m.Descriptor.FullName())
		service := string(m.Descriptor.Parent().FullName())
		names = append(names, name, service+".*", string(m.Descriptor.ParentFile().Package())+".*")

		if strings.HasSuffix(name, "."+selector) {
			ends = append(ends, name)
		}
	}

	slices.Sort(names)
	names = slices.Compact(names)

	// gRPC's way to write a method.
	dotted := strings.ReplaceAll(strings.TrimPrefix(selector, "/"), "/", ".")

	switch {
	case dotted != selector && slices.Contains(names, dotted), slices.Contains(names, dotted+".*"):
		if !slices.Contains(names, dotted) {
			dotted += ".*"
		}

		return fmt.Sprintf("; write %q", dotted)
	case dotted != selector:
		return `; the name of a method follows a ".", as in order.v1.OrderService.GetOrder` + hint.DidYouMean(dotted, names)
	case len(ends) == 1:
		return fmt.Sprintf("; write %q", ends[0])
	default:
		return hint.DidYouMean(selector, names)
	}
}
