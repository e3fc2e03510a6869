package protolint

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema/httprules"
	"github.com/portico-gateway/portico/bff/internal/schema/route"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

var errDeleteBody = errors.New("body: there is none in a request with DELETE; protoc-gen-portico-gateway lets it have one with" +
	" the option allow_delete_body=true")

// collect reads the routes of a service and finds what is wrong with each on its own.
func (l *linter) collect(service protoreflect.ServiceDescriptor) {
	l.ignores(service)

	served := false

	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		l.ignores(method)

		routes, err := l.settings.Rules.OfMethod(method)
		for _, fault := range route.Faults(err) {
			l.find(method, protopos.Fault(fault), RouteInvalid, fault.Error())
		}

		served = served || err != nil || len(routes) > 0

		for j, r := range routes {
			faults := r.CheckFields()
			if l.settings.NoDeleteBody && r.Method == http.MethodDelete && r.Body != "" {
				faults = append(faults, r.BodyFault(errDeleteBody))
			}

			for _, fault := range faults {
				l.find(method, protopos.Fault(fault), RouteInvalid, fmt.Sprintf("%s: %v", r, fault.Err))
			}

			l.endpoints = append(l.endpoints, endpoint{Route: r, policy: l.compile(r), first: j == 0})
		}
	}

	if served {
		l.service(service)
	}
}

// unknown finds rules of a gRPC API configuration for methods that there are not.
func (l *linter) unknown(files []protoreflect.FileDescriptor) {
	err := httprules.Unknown(l.settings.Rules, httprules.MethodsOf(files))
	if err == nil {
		return
	}

	for _, fault := range parts(err) {
		if u, ok := errors.AsType[*httprules.UnknownError](fault); ok {
			l.find(nil, protopos.Rule(u.Rule), RouteInvalid, u.Problem)
		}
	}
}

// service checks where a service lives, as protoc-gen-portico does.
func (l *linter) service(service protoreflect.ServiceDescriptor) {
	options := policy.Service(service)

	switch {
	case options.GetComposite() && options.GetUpstream() != "":
		l.find(service, protopos.Service(service), ServiceInvalid,
			fmt.Sprintf("a composite has no upstream, but upstream is %q", options.GetUpstream()))
	case !options.GetComposite() && options.GetUpstream() == "" && service.ParentFile().Package() == "":
		l.find(service, protopos.Service(service), ServiceInvalid, "without a package, portico.v1.service must name an upstream")
	}
}

// parts are the faults that an error is made of.
func parts(err error) []error {
	if many, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		return many.Unwrap()
	}

	return []error{err}
}

// fieldStart is the field that a fault of policy.Compile is about, with which it begins: "rate_limits[0].per: …".
var fieldStart = regexp.MustCompile(`^([a-z_]+(?:\[\d+\])?(?:\.[a-z_]+(?:\[\d+\])?)*):`)

// fieldNumbers are the numbers and indices of the field of portico.v1.MethodPolicy with which a fault begins; empty if it does not.
func fieldNumbers(fault string) []int32 {
	found := fieldStart.FindStringSubmatch(fault)
	if found == nil {
		return nil
	}

	var (
		numbers []int32
		message = (&porticov1.MethodPolicy{}).ProtoReflect().Descriptor()
	)

	for part := range strings.SplitSeq(found[1], ".") {
		name, index, indexed := strings.Cut(strings.TrimSuffix(part, "]"), "[")

		field := message.Fields().ByName(protoreflect.Name(name))
		if field == nil {
			return numbers
		}

		numbers = append(numbers, int32(field.Number()))

		if n, err := strconv.ParseInt(index, 10, 32); indexed && err == nil {
			numbers = append(numbers, int32(n))
		}

		if message = field.Message(); message == nil {
			break
		}
	}

	return numbers
}

// number is that of a field of portico.v1.MethodPolicy.
func number(name protoreflect.Name) int32 {
	return int32((&porticov1.MethodPolicy{}).ProtoReflect().Descriptor().Fields().ByName(name).Number())
}

func retryNumber() int32 { return number("retry") }

// own are the options of a method itself.
func own(method protoreflect.MethodDescriptor) *porticov1.MethodPolicy {
	options, _ := proto.GetExtension(method.Options(), porticov1.E_Policy).(*porticov1.MethodPolicy)

	return options
}

// defaults are the options of the service of a method for its methods.
func defaults(method protoreflect.MethodDescriptor) *porticov1.MethodPolicy {
	service, ok := method.Parent().(protoreflect.ServiceDescriptor)
	if !ok {
		return nil
	}

	return policy.Service(service).GetDefaults()
}

// sharedLimits finds limits that bear the same name and differ.
func (l *linter) sharedLimits() {
	for i, e := range l.endpoints {
		if e.policy == nil {
			continue
		}

		for _, other := range l.endpoints[:i+1] {
			if other.policy == nil {
				continue
			}

			named := int32(sharesName(e.policy.RateLimits, other.policy.RateLimits))
			if named < 0 {
				continue
			}

			err := limit.Agree(map[string][]policy.RateLimit{e.RPC: e.policy.RateLimits, other.RPC: other.policy.RateLimits})
			for _, fault := range parts(err) {
				if fault != nil {
					l.find(e.Descriptor, protopos.Policy(e.Descriptor, number("rate_limits"), named), PolicyInvalid, fault.Error())
				}
			}
		}
	}
}

// sharesName is the index of the first of the limits a that bears the same name as one of b, or negative.
func sharesName(a, b []policy.RateLimit) int {
	return slices.IndexFunc(a, func(x policy.RateLimit) bool {
		return x.Name != "" && slices.ContainsFunc(b, func(y policy.RateLimit) bool { return x.Name == y.Name })
	})
}
