package main

import (
	"bytes"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// method has a binding of its own and an additional one, of a custom kind.
func method(streams bool) *descriptorpb.MethodDescriptorProto {
	options := &descriptorpb.MethodOptions{}
	proto.SetExtension(options, annotations.E_Http, &annotations.HttpRule{
		Pattern: &annotations.HttpRule_Put{Put: "/v1/users/{user_id}/avatar"}, Body: "file",
		AdditionalBindings: []*annotations.HttpRule{{Pattern: &annotations.HttpRule_Custom{
			Custom: &annotations.CustomHttpPattern{Kind: "LOAD", Path: "/v1/{name=users/*/**}:load"},
		}}},
	})

	return &descriptorpb.MethodDescriptorProto{Name: new("Put"), ClientStreaming: new(streams), Options: options}
}

func TestVariablesAreHidden(t *testing.T) {
	t.Parallel()

	for streams, want := range map[bool][2]string{
		true:  {"/v1/users/*/avatar", "/v1/users/*/**:load"},
		false: {"/v1/users/{user_id}/avatar", "/v1/{name=users/*/**}:load"},
	} {
		data, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{ProtoFile: []*descriptorpb.FileDescriptorProto{{
			Service: []*descriptorpb.ServiceDescriptorProto{{Method: []*descriptorpb.MethodDescriptorProto{method(streams)}}},
		}}})
		if err != nil {
			t.Fatal(err)
		}

		var out bytes.Buffer
		if err := run(t.Context(), bytes.NewReader(data), &out, []string{"cat"}); err != nil {
			t.Fatal(err)
		}

		shown := &pluginpb.CodeGeneratorRequest{}
		if err := proto.Unmarshal(out.Bytes(), shown); err != nil {
			t.Fatal(err)
		}

		options := shown.GetProtoFile()[0].GetService()[0].GetMethod()[0].GetOptions()
		rule := proto.GetExtension(options, annotations.E_Http).(*annotations.HttpRule)

		if got := [2]string{rule.GetPut(), rule.GetAdditionalBindings()[0].GetCustom().GetPath()}; got != want {
			t.Errorf("streams %t: got %q, want %q", streams, got, want)
		}
	}
}
