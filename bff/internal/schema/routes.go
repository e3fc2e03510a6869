package schema

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// What is wrong with a google.api.http option.
var (
	ErrNoPattern     = errors.New("names no HTTP method and path")
	ErrAnyMethod     = errors.New(`is for any HTTP method ("*"), which has no handler: name one`)
	ErrMethod        = errors.New("names an HTTP method that is no token (RFC 9110, section 9.1)")
	ErrServed        = errors.New("names an HTTP method that no route can have")
	ErrCase          = errors.New("names an HTTP method in the wrong case (RFC 9110, section 9.1)")
	ErrNestedBinding = errors.New("has additional_bindings inside of additional_bindings")
)

// Fault is what is wrong with the REST routes of a method.
type Fault struct { //nolint:errname // As in package binding.
	Method protoreflect.MethodDescriptor
	// Field is the path of what is at fault within the google.api.http option, by numbers and indices.
	Field []int32
	// Rule is what is at fault instead, if it is one that is not in the proto.
	Rule *Rule
	Err  error
}

// Error implements error.
func (f *Fault) Error() string {
	return fmt.Sprintf("google.api.http of %s: %v", FullMethod(f.Method), f.Err)
}

// Unwrap implements errors.
func (f *Fault) Unwrap() error { return f.Err }

// Rules are those that are not in a proto, by full name of the method. They come before the google.api.http option of the method,
// and do not replace it, as for grpc-gateway. The zero value is none.
type Rules map[protoreflect.FullName][]Rule

// Rule is one of them, which may have additional bindings, and its place.
type Rule struct {
	HTTP         *annotations.HttpRule
	File         string
	Line, Column int
	// Additional are the lines and columns of its additional bindings.
	Additional [][2]int
}

// Routes is Rules.Of for the options of the methods alone.
func Routes(service protoreflect.ServiceDescriptor) ([]Route, error) { return Rules(nil).Of(service) }

// Of returns the routes of a service in the order in which its generated Register…HandlerClient function registers them: by method
// as declared, first its main binding, then the additional ones. A method without google.api.http has none. The error joins a
// *Fault for all that is wrong.
func (rules Rules) Of(service protoreflect.ServiceDescriptor) ([]Route, error) {
	var (
		routes []Route
		faults []error
	)

	for method := range All(service.Methods()) {
		bound, found := rules.OfMethod(method)
		for _, fault := range found {
			faults = append(faults, fault)
		}

		routes = append(routes, bound...)
	}

	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	return routes, nil
}

// FullMethod is the name of an RPC as gRPC spells it on the wire, "/user.v1.UserService/GetUser".
func FullMethod(method protoreflect.MethodDescriptor) string {
	return fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
}

// OfMethod returns the routes of one method that can be read, as Of does, and what is wrong with the others.
func (rules Rules) OfMethod(method protoreflect.MethodDescriptor) ([]Route, []*Fault) {
	var (
		routes []Route
		faults []*Fault
	)

	for _, d := range rules.declared(method) {
		if route, fault := bind(method, d); fault != nil {
			faults = append(faults, fault)
		} else {
			routes = append(routes, route)
		}
	}

	return routes, faults
}

// declared is one binding of a method.
type declared struct {
	rule *annotations.HttpRule
	// nested reports whether it is an additional one.
	nested bool
	// path leads to the rule within the google.api.http option, or within source.
	path []int32
	// source is the rule that it is of, if that is not in the proto.
	source *Rule
}

// Numbers of fields of google.api.HttpRule.
const (
	numberOfBody         = 7
	numberOfAdditional   = 11
	numberOfResponseBody = 12
)

// fault is one of a field of the rule; number zero is the pattern.
func (d declared) fault(method protoreflect.MethodDescriptor, number int32, err error) *Fault {
	if number == 0 {
		number = d.patternNumber()
	}

	return &Fault{Method: method, Field: append(slices.Clone(d.path), number), Rule: d.source, Err: err}
}

func (d declared) patternNumber() int32 {
	oneof := d.rule.ProtoReflect().Descriptor().Oneofs().ByName("pattern")
	if field := d.rule.ProtoReflect().WhichOneof(oneof); field != nil {
		return int32(field.Number())
	}

	return 0
}

// declared are all bindings of a method.
func (rules Rules) declared(method protoreflect.MethodDescriptor) []declared {
	var all []declared

	add := func(rule *annotations.HttpRule, source *Rule) {
		all = append(all, declared{rule: rule, source: source})
		for i, more := range rule.GetAdditionalBindings() {
			all = append(all, declared{rule: more, nested: true, path: []int32{numberOfAdditional, int32(i)}, source: source})
		}
	}

	for _, rule := range rules[method.FullName()] {
		add(rule.HTTP, &rule)
	}

	if rule, ok := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule); ok && rule != nil {
		add(rule, nil)
	}

	return all
}

// Merged is a rule that has all bindings of a method, in their order; nil if there are none.
func (rules Rules) Merged(method protoreflect.MethodDescriptor) *annotations.HttpRule {
	var merged *annotations.HttpRule

	for _, d := range rules.declared(method) {
		rule := proto.CloneOf(d.rule)
		if rule.AdditionalBindings = nil; merged == nil {
			merged = rule
		} else {
			merged.AdditionalBindings = append(merged.AdditionalBindings, rule)
		}
	}

	return merged
}

func bind(method protoreflect.MethodDescriptor, d declared) (Route, *Fault) {
	httpMethod, path := pattern(d.rule)
	if err := checkVerb(httpMethod); err != nil {
		return Route{}, d.fault(method, 0, err)
	}

	switch {
	case path == "":
		return Route{}, d.fault(method, 0, ErrNoPattern)
	case d.nested && len(d.rule.GetAdditionalBindings()) > 0:
		return Route{}, d.fault(method, numberOfAdditional, ErrNestedBinding)
	}

	template, err := pathtemplate.Parse(path)
	if err != nil {
		return Route{}, d.fault(method, 0, err)
	}

	r := Route{
		Method: httpMethod, Template: template, RPC: FullMethod(method), Descriptor: method,
		Body: d.rule.GetBody(), ResponseBody: d.rule.GetResponseBody(),
		ClientStream: method.IsStreamingClient(), ServerStream: method.IsStreamingServer(), declared: d,
	}

	if r.ResponseBody == "*" {
		// As for grpc-gateway.
		r.ResponseBody = ""
	}

	return r, nil
}

// checkVerb checks the HTTP method of a route.
func checkVerb(name string) error {
	upper := strings.ToUpper(name)

	switch {
	case name == "":
		return ErrNoPattern
	case name == "*":
		return ErrAnyMethod
	case !httpguts.ValidHeaderFieldName(name): // Which is a token, too.
		return ErrMethod
	case upper == http.MethodConnect || upper == http.MethodTrace:
		return fmt.Errorf("%w: %s", ErrServed, name)
	case name != upper && slices.Contains([]string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
	}, upper):
		return fmt.Errorf("%w: write %s", ErrCase, upper)
	default:
		return nil
	}
}

func pattern(rule *annotations.HttpRule) (method, path string) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, p.Get
	case *annotations.HttpRule_Put:
		return http.MethodPut, p.Put
	case *annotations.HttpRule_Post:
		return http.MethodPost, p.Post
	case *annotations.HttpRule_Delete:
		return http.MethodDelete, p.Delete
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, p.Patch
	case *annotations.HttpRule_Custom:
		return p.Custom.GetKind(), p.Custom.GetPath()
	default:
		return "", ""
	}
}
