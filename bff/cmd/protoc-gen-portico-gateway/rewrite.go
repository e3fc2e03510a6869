package main

import (
	"regexp"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// hideVariables puts what they match in the place of the path variables of methods that stream from the client.
func hideVariables(request *pluginpb.CodeGeneratorRequest) {
	for _, file := range request.GetProtoFile() {
		for _, service := range file.GetService() {
			for _, method := range service.GetMethod() {
				if method.GetClientStreaming() {
					hideInMethod(method)
				}
			}
		}
	}
}

func hideInMethod(method *descriptorpb.MethodDescriptorProto) {
	rule, ok := proto.GetExtension(method.GetOptions(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		return
	}

	hideInRule(rule)

	for _, more := range rule.GetAdditionalBindings() {
		hideInRule(more)
	}

	proto.SetExtension(method.GetOptions(), annotations.E_Http, rule)
}

func hideInRule(rule *annotations.HttpRule) {
	switch pattern := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		pattern.Get = withoutVariables(pattern.Get)
	case *annotations.HttpRule_Put:
		pattern.Put = withoutVariables(pattern.Put)
	case *annotations.HttpRule_Post:
		pattern.Post = withoutVariables(pattern.Post)
	case *annotations.HttpRule_Delete:
		pattern.Delete = withoutVariables(pattern.Delete)
	case *annotations.HttpRule_Patch:
		pattern.Patch = withoutVariables(pattern.Patch)
	case *annotations.HttpRule_Custom:
		pattern.Custom.Path = withoutVariables(pattern.Custom.GetPath())
	}
}

// variable is a path variable, with what it matches if that is not a single segment (google/api/http.proto, "Path template
// syntax").
var variable = regexp.MustCompile(`\{[^{}=]*(?:=([^{}]*))?\}`)

func withoutVariables(template string) string {
	return variable.ReplaceAllStringFunc(template, func(found string) string {
		if pattern := variable.FindStringSubmatch(found)[1]; pattern != "" {
			return pattern
		}

		return "*"
	})
}
