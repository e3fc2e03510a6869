package scaffold

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// leg is a call of a composite, and the field of the page that it fills.
type leg struct {
	// Upstream is the name of the connection.
	Upstream string
	// Field is that of the page: "order", or "orders" for a list. It has the message Type, more than once if Repeated.
	Field, Type string
	Repeated    bool
	// Import is the file of Type, and From that of the service.
	Import, From string
	// Method is what is called.
	Method protoreflect.MethodDescriptor
	// Params are the fields of its request that say what is asked for.
	Params []param
	// Access is who may call the method. Nil: its proto does not say.
	Access *porticov1.Access
}

// param is a field of a leg's request, which the request of the page has as well.
type param struct {
	// Name is that in the page's request, Type its type, and From the field of the leg's request.
	Name, Type string
	From       protoreflect.FieldDescriptor
}

var (
	errNoOver    = errors.New("name the services that it calls with --over, such as --over user,order")
	errUnknown   = errors.New("there is no such upstream or service")
	errComposite = errors.New("it is a composite, and a composite calls upstreams alone")
	errNoMethod  = errors.New("it has no method that reads: neither Get, which returns a resource (AIP-131), nor List (AIP-132)")
	errSeveral   = errors.New("several services of that upstream can be read")
	errTwice     = errors.New("it is named more than once, or fills the same field of the page as another one")
	errTypes     = errors.New("two of the services have a field of that name, with different types")
)

// legsOf returns the calls of a composite over services.
func legsOf(files []protoreflect.FileDescriptor, over []string) ([]leg, error) {
	if len(over) == 0 {
		return nil, errNoOver
	}

	var (
		legs     []leg
		services = policy.Services(files)
		methods  = policy.Read(services, nil, func(protoreflect.FullName) policy.Defaults { return policy.Defaults{} }).Methods()
	)

	for _, name := range over {
		l, err := legOf(services, name)
		if err != nil {
			return nil, fmt.Errorf("--over %s: %w", name, err)
		}

		// What is wrong with its route is found by `make generate`.
		if method := methods[schema.FullMethod(l.Method)]; method != nil {
			l.Access = method.Policy.Effective.GetAccess()
		}

		if slices.ContainsFunc(legs, func(other leg) bool { return other.Field == l.Field }) {
			return nil, fmt.Errorf("--over %s: %w", name, errTwice)
		}

		legs = append(legs, l)
	}

	return legs, agree(legs)
}

// agree fails if legs need fields of the page's request that have the same name and not the same type.
func agree(legs []leg) error {
	types := map[string]string{}

	for _, l := range legs {
		for _, p := range l.Params {
			if known := types[p.Name]; known != "" && known != p.Type {
				return fmt.Errorf("%s: %w", p.Name, errTypes)
			}

			types[p.Name] = p.Type
		}
	}

	return nil
}

// legOf returns the call to the one service of that name which can be read.
func legOf(services []protoreflect.ServiceDescriptor, name string) (leg, error) {
	var (
		legs  []leg
		known []string
		found error
	)

	for _, service := range services {
		full, upstream := string(service.FullName()), upstreamOf(service)
		known = append(known, full, upstream)

		if name != full && name != upstream {
			continue
		}

		switch l, ok := read(service); {
		case policy.Service(service).GetComposite():
			found = cmp.Or(found, errComposite)
		case ok:
			legs = append(legs, l)
		default:
			found = errNoMethod
		}
	}

	switch {
	case len(legs) == 0 && found != nil:
		return leg{}, found
	case len(legs) == 0:
		return leg{}, fmt.Errorf("%w%s", errUnknown, hint.DidYouMean(name, known))
	case len(legs) > 1:
		return leg{}, fmt.Errorf("%w: name one, %s or %s",
			errSeveral, legs[0].Method.Parent().FullName(), legs[1].Method.Parent().FullName())
	}

	return legs[0], nil
}

// upstreamOf returns the name of the upstream of a service, or of the package of a composite.
func upstreamOf(service protoreflect.ServiceDescriptor) string {
	first, _, _ := strings.Cut(string(service.ParentFile().Package()), ".")

	return cmp.Or(policy.Service(service).GetUpstream(), first)
}

// read returns the call that reads a resource of the service or, if there is none, resources.
func read(service protoreflect.ServiceDescriptor) (leg, bool) {
	for _, list := range []bool{false, true} {
		for method := range schema.All(service.Methods()) {
			if method.IsStreamingClient() || method.IsStreamingServer() {
				continue
			}

			l := leg{Upstream: upstreamOf(service), Method: method, From: service.ParentFile().Path(), Repeated: list}
			if l.fill(list) {
				return l, true
			}
		}
	}

	return leg{}, false
}

// fill completes the call, unless the method is not a standard one.
func (l *leg) fill(list bool) bool {
	name, out := string(l.Method.Name()), l.Method.Output()

	if list {
		if !strings.HasPrefix(name, "List") {
			return false
		}

		items := resources(out)
		if items == nil {
			return false
		}

		l.Field, out = string(items.Name()), items.Message()
	} else {
		if name != "Get"+string(out.Name()) {
			return false
		}

		l.Field = snake(string(out.Name()))
	}

	l.Type, l.Import = string(out.FullName()), out.ParentFile().Path()
	l.Params = l.params()

	return true
}

// resources returns the first field that is a list of messages. Nil: there is none.
func resources(list protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	for field := range schema.All(list.Fields()) {
		if field.IsList() && field.Message() != nil {
			return field
		}
	}

	return nil
}

// params returns the fields that identify what is read, by their names (AIP-122, AIP-131, AIP-132). What else a method needs is for
// the author to add.
func (l *leg) params() []param {
	var all []param

	for field := range schema.All(l.Method.Input().Fields()) {
		if field.Cardinality() == protoreflect.Repeated || field.HasPresence() || field.Enum() != nil {
			continue
		}

		name := string(field.Name())

		switch {
		case slices.Contains([]string{"id", "name", "parent"}, name):
			name = l.Field + "_" + name
		case !strings.HasSuffix(name, "_id"):
			continue
		}

		all = append(all, param{Name: name, Type: field.Kind().String(), From: field})
	}

	return all
}

// snake returns the field for a message: "loyalty_card" for LoyaltyCard.
func snake(message string) string {
	var b strings.Builder

	for i, r := range message {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}

			r += 'a' - 'A'
		}

		b.WriteRune(r)
	}

	return b.String()
}
