package schema_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	_ "google.golang.org/protobuf/types/known/emptypb" // What every method takes and gives.

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// serviceWith describes test.v1.Test with a method per rule, A, B, C and so on.
func serviceWith(tb testing.TB, rules ...*annotations.HttpRule) protoreflect.ServiceDescriptor {
	tb.Helper()

	service := &descriptorpb.ServiceDescriptorProto{Name: new("Test")}

	for i, rule := range rules {
		method := &descriptorpb.MethodDescriptorProto{
			Name:      new(string(rune('A' + i))),
			InputType: new(".google.protobuf.Empty"), OutputType: new(".google.protobuf.Empty"),
			Options: &descriptorpb.MethodOptions{},
		}
		if rule != nil {
			proto.SetExtension(method.GetOptions(), annotations.E_Http, rule)
		}

		service.Method = append(service.Method, method)
	}

	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("test/v1/test.proto"), Package: new("test.v1"), Syntax: new("proto3"),
		Dependency: []string{"google/protobuf/empty.proto"}, Service: []*descriptorpb.ServiceDescriptorProto{service},
	}, protoregistry.GlobalFiles)
	if err != nil {
		tb.Fatal(err)
	}

	return file.Services().Get(0)
}

func get(path string) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: path}}
}

func post(path string) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Post{Post: path}, Body: "*"}
}

func custom(kind, path string) *annotations.HttpRule {
	return &annotations.HttpRule{
		Pattern: &annotations.HttpRule_Custom{Custom: &annotations.CustomHttpPattern{Kind: kind, Path: path}},
	}
}

func with(rule *annotations.HttpRule, additional ...*annotations.HttpRule) *annotations.HttpRule {
	rule.AdditionalBindings = additional

	return rule
}

// lines prints routes one per line, for comparison.
func lines(routes []schema.Route) string {
	out := make([]string, 0, len(routes))
	for _, r := range routes {
		line := r.String() + " " + r.RPC
		if r.Body != "" {
			line += " body"
		}

		out = append(out, line)
	}

	return strings.Join(out, "\n")
}

func TestOf(t *testing.T) {
	t.Parallel()

	routes, err := schema.Routes(serviceWith(t,
		with(get("/v1/a/{x}"), post("/v1/a/{x}:get"), custom("LOCK", "/v1/a/{x}")),
		nil,
		&annotations.HttpRule{Pattern: &annotations.HttpRule_Put{Put: "/v1/c"}, Body: "name"},
		&annotations.HttpRule{Pattern: &annotations.HttpRule_Patch{Patch: "/v1/d"}},
		&annotations.HttpRule{Pattern: &annotations.HttpRule_Delete{Delete: "/v1/e"}},
	))
	if err != nil {
		t.Fatal(err)
	}

	want := strings.Join([]string{
		"GET /v1/a/{x} /test.v1.Test/A",
		"POST /v1/a/{x}:get /test.v1.Test/A body",
		"LOCK /v1/a/{x} /test.v1.Test/A",
		"PUT /v1/c /test.v1.Test/C body",
		"PATCH /v1/d /test.v1.Test/D",
		"DELETE /v1/e /test.v1.Test/E",
	}, "\n")
	if got := lines(routes); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOfRefuses(t *testing.T) {
	t.Parallel()

	_, err := schema.Routes(serviceWith(t,
		get("/v1/{"),
		&annotations.HttpRule{Body: "*"},
		custom("*", "/v1/c"),
		with(get("/v1/d"), with(get("/v1/d2"), get("/v1/d3"))),
		get("/v1/e"),
		with(get("/v1/f"), get("")),
		custom("GE T", "/v1/g"),
	))

	for _, fault := range []error{schema.ErrNoPattern, schema.ErrAnyMethod, schema.ErrMethod, schema.ErrNestedBinding} {
		if !errors.Is(err, fault) {
			t.Errorf("%v does not say %q", err, fault)
		}
	}

	if _, ok := errors.AsType[*pathtemplate.SyntaxError](err); !ok {
		t.Errorf("%v does not say what is wrong with the path", err)
	}

	for _, rpc := range []string{"A", "B", "C", "D", "E", "F", "G"} {
		if named := strings.Contains(err.Error(), "google.api.http of /test.v1.Test/"+rpc+": "); named == (rpc == "E") {
			t.Errorf("%v names %s: %v", err, rpc, named)
		}
	}
}

// Once, a route was accepted with a method that no request can have, or that one meant in capitals.
func TestMethodsOfRoutes(t *testing.T) {
	t.Parallel()

	for kind, want := range map[string]error{
		"LOCK": nil, "lock": nil, "GET": nil, "HEAD": nil, "M-SEARCH": nil,
		"": schema.ErrNoPattern, "*": schema.ErrAnyMethod, "GE T": schema.ErrMethod, "A/B": schema.ErrMethod, "ä": schema.ErrMethod,
		"get": schema.ErrCase, "Post": schema.ErrCase, "options": schema.ErrCase,
		"CONNECT": schema.ErrServed, "TRACE": schema.ErrServed, "trace": schema.ErrServed,
	} {
		if _, err := schema.Routes(serviceWith(t, custom(kind, "/v1/a"))); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", kind, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name string
		a, b *annotations.HttpRule
		want bool
	}{
		{"same-paths", get("/v1/{a}"), get("/v1/{b}"), false},
		{"paths-in-common", get("/v1/{a}/x"), get("/v1/y/{b}"), false},
		{"special-case-first", get("/v1/me"), get("/v1/{a}"), true},
		{"special-case-last", get("/v1/{a}"), get("/v1/{a}:lock"), true},
		{"other-method", get("/v1/{a}"), post("/v1/{a}"), true},
		{"other-paths", get("/v1/a"), get("/v1/b"), true},
		{"own-additional-binding", with(get("/v1/{a}"), get("/v1/{b}")), get("/v2"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			routes, err := schema.Routes(serviceWith(t, tt.a, tt.b))
			if err != nil {
				t.Fatal(err)
			}

			if err := schema.CheckRoutes(routes); (err == nil) != tt.want || err != nil && !errors.Is(err, schema.ErrAmbiguous) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCheckNamesEveryPair(t *testing.T) {
	t.Parallel()

	routes, err := schema.Routes(serviceWith(t, get("/v1/{a}"), get("/v1/{b}/x"), get("/v1/{c}"), get("/v1/y/{d}")))
	if err != nil {
		t.Fatal(err)
	}

	const want = `ambiguous routes: GET /v1/{a} (/test.v1.Test/A) and GET /v1/{c} (/test.v1.Test/C) match the same paths
ambiguous routes: GET /v1/{b}/x (/test.v1.Test/B) and GET /v1/y/{d} (/test.v1.Test/D) match some paths in common, ` +
		`and neither is more specific`

	if err := schema.CheckRoutes(routes); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestSort(t *testing.T) {
	t.Parallel()

	routes, err := schema.Routes(serviceWith(t, get("/v1/{a=**}"), get("/v1/{a}"), post("/v1/me"), get("/v1/me"), get("/v1/{a}:lock")))
	if err != nil {
		t.Fatal(err)
	}

	slices.Reverse(routes)
	slices.SortStableFunc(routes, schema.CompareRoutes)

	const want = `GET /v1/{a}:lock /test.v1.Test/E
GET /v1/me /test.v1.Test/D
POST /v1/me /test.v1.Test/C body
GET /v1/{a} /test.v1.Test/B
GET /v1/{a=**} /test.v1.Test/A`
	if got := lines(routes); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
