package route

import (
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/pathtemplate"
)

// What is wrong with a google.api.http option.
var (
	ErrNoPattern     = errors.New("names no HTTP method and path")
	ErrAnyMethod     = errors.New(`is for any HTTP method ("*"), which has no handler: name one`)
	ErrNestedBinding = errors.New("has additional_bindings inside of additional_bindings")
)

// Of returns the routes of a service in the order in which its generated Register…HandlerClient function registers them: by method
// as declared, first its main binding, then the additional ones. A method without google.api.http has none. The error names every
// faulty RPC.
func Of(service protoreflect.ServiceDescriptor) ([]Route, error) {
	var (
		routes []Route
		faults []error
	)

	methods := service.Methods()
	for i := range methods.Len() {
		bound, err := OfMethod(methods.Get(i))
		if err != nil {
			faults = append(faults, err)
		}

		routes = append(routes, bound...)
	}

	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	return routes, nil
}

// FullMethod is the name of an RPC as gRPC spells it on the wire, "/user.v1.UserService/GetUser".
func FullMethod(method protoreflect.MethodDescriptor) string {
	return fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
}

// OfMethod returns the routes of one method: its main binding, then the additional ones. Without google.api.http it has none.
func OfMethod(method protoreflect.MethodDescriptor) ([]Route, error) {
	rule, ok := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		return nil, nil
	}

	var routes []Route

	for i, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		route, err := bind(method, binding)
		if err == nil && i > 0 && len(binding.GetAdditionalBindings()) > 0 {
			err = ErrNestedBinding
		}

		if err != nil {
			return nil, fmt.Errorf("google.api.http of %s: %w", FullMethod(method), err)
		}

		routes = append(routes, route)
	}

	return routes, nil
}

func bind(method protoreflect.MethodDescriptor, rule *annotations.HttpRule) (Route, error) {
	httpMethod, path := pattern(rule)

	switch {
	case httpMethod == "*":
		return Route{}, ErrAnyMethod
	case httpMethod == "" || path == "":
		return Route{}, ErrNoPattern
	}

	template, err := pathtemplate.Parse(path)
	if err != nil {
		return Route{}, err
	}

	return Route{
		Method: httpMethod, Template: template, RPC: FullMethod(method), Descriptor: method,
		Body: rule.GetBody(), ResponseBody: rule.GetResponseBody(),
		ClientStream: method.IsStreamingClient(), ServerStream: method.IsStreamingServer(),
	}, nil
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
