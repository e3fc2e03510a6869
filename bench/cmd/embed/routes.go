package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// service is one that is made up: its methods are GetUser under other names, with routes as those of a real API.
type service struct {
	name   string
	routes []madeUp
}

type madeUp struct {
	rpc    string
	method string
	path   string
}

// routesPerService is how many there are in a service. All but the last service have so many.
const routesPerService = 5

// routesOf are those of the service of that number.
func routesOf(number int) []madeUp {
	base := fmt.Sprintf("/v1/things%04d", number)

	return []madeUp{
		{"List", http.MethodGet, base},
		{"Get", http.MethodGet, base + "/{user_id}"},
		{"Delete", http.MethodDelete, base + "/{user_id}"},
		{"GetPart", http.MethodGet, base + "/{user_id}/parts"},
		{"Close", http.MethodGet, base + "/{user_id}:close"},
	}
}

// declare puts the descriptors of services with so many routes where linked ones are.
func declare(count int) ([]service, error) {
	var services []service

	for number := 0; count > 0; number++ {
		s := service{name: fmt.Sprintf("madeup.v%04d.ThingService", number), routes: routesOf(number)}
		s.routes = s.routes[:min(count, routesPerService)]
		count -= len(s.routes)

		if err := s.declare(); err != nil {
			return nil, err
		}

		services = append(services, s)
	}

	return services, nil
}

func (s service) declare() error {
	name := s.name[strings.LastIndexByte(s.name, '.')+1:]
	pkg := strings.TrimSuffix(s.name, "."+name)
	file := &descriptorpb.FileDescriptorProto{
		Name: new(strings.ReplaceAll(pkg, ".", "/") + ".proto"), Package: new(pkg), Syntax: new("proto3"),
		Dependency: []string{
			userv1.File_user_v1_user_proto.Path(), annotations.File_google_api_annotations_proto.Path(),
			porticov1.File_portico_v1_policy_proto.Path(),
		},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: new(name)}},
	}

	for _, r := range s.routes {
		options := &descriptorpb.MethodOptions{IdempotencyLevel: descriptorpb.MethodOptions_NO_SIDE_EFFECTS.Enum()}
		rule := &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: r.path}}

		if r.method == http.MethodDelete {
			options.IdempotencyLevel = nil
			rule.Pattern = &annotations.HttpRule_Delete{Delete: r.path}
		}

		proto.SetExtension(options, annotations.E_Http, rule)
		proto.SetExtension(options, porticov1.E_Policy, &porticov1.MethodPolicy{
			Access:     &porticov1.Access{Authenticated: true},
			RateLimits: []*porticov1.RateLimit{{Requests: 50, Burst: 100}},
		})

		file.Service[0].Method = append(file.Service[0].Method, &descriptorpb.MethodDescriptorProto{
			Name: new(r.rpc), InputType: new(".user.v1.GetUserRequest"), OutputType: new(".user.v1.User"), Options: options,
		})
	}

	linked, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		return fmt.Errorf("declare %s: %w", s.name, err)
	}

	if err := protoregistry.GlobalFiles.RegisterFile(linked); err != nil {
		return fmt.Errorf("declare %s: %w", s.name, err)
	}

	return nil
}

// register puts a handler for each route on the mux, in their order, as generated code would.
func (s service) register(_ context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error {
	for _, r := range s.routes {
		rpc := "/" + s.name + "/" + r.rpc

		handler := func(w http.ResponseWriter, req *http.Request, variables map[string]string) {
			_, marshaler := runtime.MarshalerForRequest(mux, req)

			ctx, err := runtime.AnnotateContext(req.Context(), mux, req, rpc, runtime.WithHTTPPathPattern(r.path))
			if err != nil {
				runtime.HTTPError(req.Context(), mux, marshaler, w, req, err)

				return
			}

			var answer userv1.User

			err = conn.Invoke(ctx, rpc, &userv1.GetUserRequest{UserId: variables["user_id"]}, &answer)
			if err != nil {
				runtime.HTTPError(ctx, mux, marshaler, w, req, err)

				return
			}

			runtime.ForwardResponseMessage(ctx, mux, marshaler, w, req, &answer, mux.GetForwardResponseOptions()...)
		}

		if err := mux.HandlePath(r.method, r.path, handler); err != nil {
			return fmt.Errorf("register %s: %w", rpc, err)
		}
	}

	return nil
}
