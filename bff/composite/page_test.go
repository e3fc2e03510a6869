package composite_test

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// parts are the fields of the pages of tests.
const parts = "a b c bomb user orders profile fails waits waits_too too_late quick slow first second third fine leaves inner"

// newPage returns a page with all parts, and partial_errors.
func newPage() proto.Message { return dynamicpb.NewMessage(pageType()) }

// pageType is compiled once.
var pageType = sync.OnceValue(func() protoreflect.MessageDescriptor {
	optional, repeated := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	page := &descriptorpb.DescriptorProto{Name: new("Page")}

	for i, name := range append(strings.Fields(parts), "partial_errors") {
		page.Field = append(page.Field, &descriptorpb.FieldDescriptorProto{
			Name: new(name), Number: new(int32(i + 1)), Label: &optional,
			Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
		})
	}

	last := page.GetField()[len(page.GetField())-1]
	last.Label, last.Type = &repeated, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
	last.TypeName = new(".portico.v1.PartialError")

	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Syntax: new("proto3"), Name: new("page.proto"), Package: new("page.v1"),
		Dependency: []string{"portico/v1/partial_error.proto"}, MessageType: []*descriptorpb.DescriptorProto{page},
	}, protoregistry.GlobalFiles)
	if err != nil {
		panic(err)
	}

	return file.Messages().ByName("Page")
})
