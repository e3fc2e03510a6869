package scaffold

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
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

// value returns a value in Go that no other field of the request has, as far as its type allows. The number is that of the field.
func (p param) value(number int) string {
	switch p.From.Kind() {
	case protoreflect.StringKind:
		return strconv.Quote(p.Name)
	case protoreflect.BytesKind:
		return "[]byte(" + strconv.Quote(p.Name) + ")"
	case protoreflect.BoolKind:
		return "true"
	default:
		return strconv.Itoa(number)
	}
}

var (
	errNoOver    = errors.New("name the upstreams or services that it calls, such as --over user,order")
	errEmpty     = errors.New("a name is empty")
	errUnknown   = errors.New("there is no upstream or service of that name")
	errComposite = errors.New("it is a composite, and a composite calls upstreams alone")
	errNoMethod  = errors.New("it has no method that reads: neither Get, which returns a resource (AIP-131), nor List (AIP-132)")
	errSeveral   = errors.New("several services of that upstream can be read")
	errTwice     = errors.New("it is named more than once")
	errField     = errors.New("it fills a field that is taken")
	errTypes     = errors.New("the types do not agree: leave one of the two out, and add its call by hand")
)

// legsOf returns the calls of a composite over services.
func legsOf(files []protoreflect.FileDescriptor, over []string) ([]leg, error) {
	var (
		legs     []leg
		services = policy.Services(files)
		methods  = policy.Read(services, nil, func(protoreflect.FullName) policy.Defaults { return policy.Defaults{} }).Methods()
	)

	for i, name := range over {
		l, err := legOf(services, name)
		if err == nil {
			err = agree(legs, l, over[:i])
		}

		if err != nil {
			return nil, fmt.Errorf("--over %q: %w", name, err)
		}

		// What is wrong with its route is found by `make generate`.
		if method := methods[schema.FullMethod(l.Method)]; method != nil {
			l.Access = method.Policy.Effective.GetAccess()
		}

		legs = append(legs, l)
	}

	return legs, nil
}

// checkOver fails if the names of what a composite calls are not complete.
func checkOver(over []string) error {
	switch {
	case len(over) == 0:
		return fmt.Errorf("--over: %w", errNoOver)
	case slices.ContainsFunc(over, func(name string) bool { return strings.TrimSpace(name) == "" }):
		return fmt.Errorf("--over %q: %w: %w", strings.Join(over, ","), errEmpty, errNoOver)
	}

	for i, name := range over {
		if slices.Contains(over[:i], name) {
			return fmt.Errorf("--over %q: %w", name, errTwice)
		}
	}

	return nil
}

// agree fails if a leg fills the same field of the page as one before it, or needs a field of the page's request with another type.
func agree(before []leg, l leg, names []string) error {
	for i, other := range before {
		if other.Field == l.Field {
			return fmt.Errorf("%w: %s of the page, as for %q: name one of them", errField, l.Field, names[i])
		}

		for _, p := range l.Params {
			if slices.ContainsFunc(other.Params, func(o param) bool { return o.Name == p.Name && o.Type != p.Type }) {
				return fmt.Errorf("%s in the requests of %s and %s: %w", p.Name, other.Method.Name(), l.Method.Name(), errTypes)
			}
		}
	}

	return nil
}

// legOf returns the call to the one service of that name which can be read.
func legOf(services []protoreflect.ServiceDescriptor, name string) (leg, error) {
	var (
		legs  []leg
		found error
	)

	for _, service := range services {
		if name != string(service.FullName()) && name != upstreamOf(service) {
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
	case len(legs) == 0:
		return leg{}, cmp.Or(found, unknown(services, name))
	case len(legs) > 1:
		return leg{}, fmt.Errorf("%w: name one, %s or %s",
			errSeveral, legs[0].Method.Parent().FullName(), legs[1].Method.Parent().FullName())
	}

	return legs[0], nil
}

// unknown is the error for a name that no service has.
func unknown(services []protoreflect.ServiceDescriptor, name string) error {
	var upstreams, names []string

	for _, service := range services {
		if _, ok := read(service); ok && !policy.Service(service).GetComposite() {
			upstreams, names = append(upstreams, upstreamOf(service)), append(names, string(service.FullName()))
		}
	}

	slices.Sort(upstreams)
	upstreams = slices.Compact(upstreams)

	return fmt.Errorf("%w%s The upstreams that can be read: %s", errUnknown,
		cmp.Or(hint.DidYouMean(name, slices.Concat(upstreams, names)), "."), cmp.Or(strings.Join(upstreams, ", "), "none"))
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
