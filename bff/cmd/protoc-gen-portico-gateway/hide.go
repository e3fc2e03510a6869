package main

import (
	"cmp"
	"net/http"
	"regexp"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/gofeaturespb"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// hide removes from the request what the plugin may generate wrong code for: the names of path variables, without their patterns,
// and the fields that are bodies. It returns what it removed.
func hide(gen *protogen.Plugin, rules schema.Rules) hidden {
	h := hidden{}

	for _, file := range gen.Files {
		for _, service := range file.Services {
			for _, method := range service.Methods {
				described := file.Proto.GetService()[service.Desc.Index()].GetMethod()[method.Desc.Index()]

				rule := rules.Merged(method.Desc)
				if rule == nil {
					continue
				}

				h.add(file, service, method, rule)

				for _, binding := range bindingsOf(rule) {
					hideInRule(method, binding)
				}

				options := described.GetOptions()
				if options == nil {
					options = &descriptorpb.MethodOptions{}
					described.Options = options
				}

				proto.SetExtension(options, annotations.E_Http, rule)

				described.InputType = new(shownType(gen, method.Input))
				described.OutputType = new(shownType(gen, method.Output))
			}
		}
	}

	return h
}

// bindingsOf are a rule and its additional bindings, in the order in which the plugin makes handlers of them.
func bindingsOf(rule *annotations.HttpRule) []*annotations.HttpRule {
	return append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...)
}

func hideInRule(method *protogen.Method, rule *annotations.HttpRule) {
	*path(rule) = hideVariables(method, *path(rule))

	if !showsBody(method, rule) {
		rule.Body = ""
	}

	if field := fieldOf(method.Output, rule.GetResponseBody()); field == nil || !isPlain(field) {
		rule.ResponseBody = ""
	}
}

// path is where the rule has its template.
func path(rule *annotations.HttpRule) *string {
	switch pattern := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return &pattern.Get
	case *annotations.HttpRule_Put:
		return &pattern.Put
	case *annotations.HttpRule_Post:
		return &pattern.Post
	case *annotations.HttpRule_Delete:
		return &pattern.Delete
	case *annotations.HttpRule_Patch:
		return &pattern.Patch
	case *annotations.HttpRule_Custom:
		return &pattern.Custom.Path
	default:
		return new(string)
	}
}

// variable is a path variable, with what it matches if that is not a single segment (google/api/http.proto, "Path template
// syntax").
var variable = regexp.MustCompile(`\{([^{}=]*)(?:=([^{}]*))?\}`)

// hideVariables puts what they match in the place of the path variables, but for scalars without presence of proto3: with those
// the code also serves on a mux of its own.
func hideVariables(method *protogen.Method, template string) string {
	return variable.ReplaceAllStringFunc(template, func(found string) string {
		field := fieldOf(method.Input, variable.FindStringSubmatch(found)[1])
		if field != nil && !method.Desc.IsStreamingClient() && isPlainScalar(field) {
			return found
		}

		return withoutVariables(found)
	})
}

// withoutVariables puts what they match in the place of all path variables.
func withoutVariables(template string) string {
	return variable.ReplaceAllStringFunc(template, func(found string) string {
		return cmp.Or(variable.FindStringSubmatch(found)[2], "*")
	})
}

func isPlainScalar(field *protogen.Field) bool {
	d := field.Desc

	return isPlain(field) && d.ParentFile().Syntax() == protoreflect.Proto3 && !d.HasPresence() && !d.IsList() && !d.IsMap() &&
		d.Message() == nil && d.Enum() == nil
}

// isPlain reports whether the field is one of a Go struct under the name that the plugin expects.
func isPlain(field *protogen.Field) bool {
	oneof := field.Desc.ContainingOneof()

	// A name that is also that of a method ends in an underscore.
	if isRenamed(field.Parent) || field.Message != nil && isRenamed(field.Message) {
		return false
	}

	return field.Parent.APILevel != gofeaturespb.GoFeatures_API_OPAQUE && !strings.HasSuffix(field.GoName, "_") &&
		(oneof == nil || oneof.IsSynthetic()) && field.Desc.Kind() != protoreflect.GroupKind
}

// showsBody reports whether the plugin may see what the body is.
func showsBody(method *protogen.Method, rule *annotations.HttpRule) bool {
	if rule.GetBody() == "*" {
		return true
	}

	field := fieldOf(method.Input, rule.GetBody())
	if field == nil || !isPlain(field) {
		return false
	}

	if rule.GetPatch() == "" && rule.GetCustom().GetKind() != http.MethodPatch {
		return true
	}

	// The plugin also makes code for a field mask.
	for _, mask := range method.Input.Fields {
		if isMask(mask) && (!isPlain(mask) || mask.Desc.IsList()) {
			return false
		}
	}

	// What the mask is about must be a message.
	return field.Message != nil && !field.Desc.IsList() && !field.Desc.IsMap()
}

func isMask(field *protogen.Field) bool {
	return field.Message != nil && field.Message.Desc.FullName() == "google.protobuf.FieldMask"
}

// fieldOf returns the field of this name; nil if there is none.
func fieldOf(message *protogen.Message, name string) *protogen.Field {
	for _, field := range message.Fields {
		if string(field.Desc.Name()) == name {
			return field
		}
	}

	return nil
}
