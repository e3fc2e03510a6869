package protolint

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema/route"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// compile returns the policy of a route; nil if it is faulty.
func (l *linter) compile(r route.Route) *policy.Policy {
	p, err := policy.Compile(r.Descriptor, policy.Route{Method: r.Method, Variables: r.Template.Variables()}, l.settings.Defaults)
	if err == nil {
		return &p
	}

	for _, fault := range parts(err) {
		where := fieldNumbers(fault.Error())

		switch {
		case errors.Is(fault, policy.ErrNoAccess):
			l.noAccess = append(l.noAccess, r)
		case unsafeFault.MatchString(fault.Error()) && unsafeRetry(r):
			// The rule about retries says it in its own words.
		default:
			l.addFault(r, where, fault.Error())
		}
	}

	return nil
}

// unsafeFault matches what policy.Compile says of retries that nothing makes safe.
var unsafeFault = regexp.MustCompile(`^retry(\.hedge_after)?: the method `)

// policyFault is what is wrong with a policy, and the routes for which it is.
type policyFault struct {
	at      protopos.Position
	message string
	routes  []route.Route
	// shared reports whether it is among the defaults of a service.
	shared bool
}

// addFault remembers a fault, once for all routes that have it for the same reason.
func (l *linter) addFault(r route.Route, where []int32, message string) {
	at := protopos.Policy(r.Descriptor, where...)

	for _, known := range l.faults {
		if known.at == at && withoutHint(known.message) == withoutHint(message) {
			known.routes = append(known.routes, r)
			known.message = max(known.message, message)

			return
		}
	}

	l.faults = append(l.faults, &policyFault{
		at: at, message: message, routes: []route.Route{r}, shared: len(where) > 0 && !protopos.SetsPolicy(r.Descriptor, where[0]),
	})
}

// withoutHint is a message without what was probably meant, which may differ by the route.
func withoutHint(message string) string {
	before, _, _ := strings.Cut(message, "; did you mean ")

	return before
}

// policies finds the faults of policies.
func (l *linter) policies() {
	for _, fault := range l.faults {
		message := fault.message
		if fault.shared {
			message += " (for " + list(fault.routes) + ")"
		}

		l.find(fault.routes[0].Descriptor, fault.at, PolicyInvalid, message)
	}
}

// access finds methods that nothing says who may call: once for a service none of whose methods says it.
func (l *linter) access() {
	missing := map[protoreflect.FullName][]route.Route{}

	for _, r := range l.noAccess {
		name := r.Descriptor.Parent().FullName()
		if !slices.ContainsFunc(missing[name], func(other route.Route) bool { return other.Descriptor == r.Descriptor }) {
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
		if own(service.Methods().Get(i)).GetAccess() != nil {
			return true
		}
	}

	return false
}

// list names routes, the first ones at least.
func list(routes []route.Route) string {
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
