package main

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// isRenamed reports whether Go joins the name of a nested message to that of the message around it, which the plugin does not know:
// Outer.inner is OuterInner, not Outer_Inner.
func isRenamed(message *protogen.Message) bool {
	var d protoreflect.Descriptor = message.Desc

	for ; d.Parent() != d.ParentFile(); d = d.Parent() {
		if first := d.Name()[0]; 'a' <= first && first <= 'z' {
			return true
		}
	}

	return false
}

// shownType is the name of a message for the plugin: of one whose name in Go it does not know, that of a message without fields
// that is called so.
func shownType(gen *protogen.Plugin, message *protogen.Message) string {
	if !isRenamed(message) {
		return "." + string(message.Desc.FullName())
	}

	file := gen.FilesByPath[message.Desc.ParentFile().Path()]
	name := message.GoIdent.GoName

	isThat := func(m *descriptorpb.DescriptorProto) bool { return m.GetName() == name }
	if !slices.ContainsFunc(file.Proto.GetMessageType(), isThat) {
		file.Proto.MessageType = append(file.Proto.MessageType, &descriptorpb.DescriptorProto{Name: &name})
	}

	if file.Desc.Package() == "" {
		return "." + name
	}

	return fmt.Sprintf(".%s.%s", file.Desc.Package(), name)
}
