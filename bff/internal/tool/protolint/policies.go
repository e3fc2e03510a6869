package protolint

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// policyFault is what is wrong with a policy, and the routes for which it is.
type policyFault struct { //nolint:errname // As policy.Fault.
	*policy.Fault

	at     protopos.Position
	routes []schema.Route
}

// policies finds the faults of policies, each once for all routes that have it for the same reason.
func (l *linter) policies(all []*policy.Fault) {
	var faults []*policyFault

	for _, fault := range all {
		if errors.Is(fault, policy.ErrNoAccess) {
			l.noAccess = append(l.noAccess, fault.Route)

			continue
		}

		at := protopos.Policy(fault.Route.Descriptor, fault.Field)

		i := slices.IndexFunc(faults, func(known *policyFault) bool { return known.at == at && known.Same(fault) })
		if i < 0 {
			faults = append(faults, &policyFault{Fault: fault, at: at, routes: []schema.Route{fault.Route}})

			continue
		}

		known := faults[i]
		if known.routes = append(known.routes, fault.Route); known.Hint == "" {
			known.Fault = fault
		}
	}

	for _, fault := range faults {
		if errors.Is(fault, policy.ErrRetryUnsafe) {
			l.unsafeRetry(fault)

			continue
		}

		message := fault.Error()
		if fault.Field != "" && !protopos.SetsPolicy(fault.Route.Descriptor, fault.Field) {
			message += " (for " + list(fault.routes) + ")"
		}

		l.find(fault.routes[0].Descriptor, fault.at, PolicyInvalid, message)
	}
}

// unsafeRetry finds calls that would be made again although nothing says that this is safe. A gateway does not start with it, so no
// comment can ignore it.
func (l *linter) unsafeRetry(fault *policyFault) {
	l.findings = append(l.findings, Finding{
		Position: l.shown(fault.at), Rule: RetryUnsafe, Refused: true, Message: fmt.Sprintf(
			"%s is to be retried or hedged, but nothing says that this is safe: set idempotency_level (hedging needs"+
				" NO_SIDE_EFFECTS), or bind the header Idempotency-Key to a field", fault.Route),
	})
}

// access finds methods that nothing says who may call: once for a service none of whose methods says it.
func (l *linter) access() {
	missing := map[protoreflect.FullName][]schema.Route{}

	for _, r := range l.noAccess {
		name := r.Descriptor.Parent().FullName()
		if !slices.ContainsFunc(missing[name], func(other schema.Route) bool { return other.Descriptor == r.Descriptor }) {
			missing[name] = append(missing[name], r)
		}
	}

	for _, routes := range missing {
		service, ok := routes[0].Descriptor.Parent().(protoreflect.ServiceDescriptor)
		if ok && len(routes) > 1 && !saysAccess(service) {
			l.find(service, protopos.Service(service), AccessMissing, fmt.Sprintf(
				"nothing says who may call %s: give the defaults of the service, or each method, an access policy", list(routes)))

			continue
		}

		for _, r := range routes {
			l.find(r.Descriptor, protopos.OwnPolicy(r.Descriptor), AccessMissing, fmt.Sprintf(
				"%s: nothing says who may call: give the method, or the defaults of its service, an access policy", r))
		}
	}
}

// saysAccess reports whether any method of a service says who may call it.
func saysAccess(service protoreflect.ServiceDescriptor) bool {
	for i := range service.Methods().Len() {
		if policy.Own(service.Methods().Get(i)).GetAccess() != nil {
			return true
		}
	}

	return false
}

// list names routes, the first ones at least.
func list(routes []schema.Route) string {
	const shown = 3

	names := make([]string, 0, shown)
	for _, r := range routes[:min(len(routes), shown)] {
		names = append(names, r.String())
	}

	if more := len(routes) - shown; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), more)
	}

	return strings.Join(names, ", ")
}
