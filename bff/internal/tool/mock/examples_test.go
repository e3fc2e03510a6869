package mock

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// exchanging is a method whose request and response are the first of these messages.
func exchanging(tb testing.TB, messages string) protoreflect.MethodDescriptor {
	tb.Helper()

	file := &descriptorpb.FileDescriptorProto{}

	err := prototext.Unmarshal([]byte(`
		name: "examples.proto" package: "examples" syntax: "proto3"
		dependency: "buf/validate/validate.proto"
		dependency: "google/protobuf/timestamp.proto"
		service { name: "S" method { name: "Do" input_type: ".examples.M0" output_type: ".examples.M0" } } `+messages), file)
	if err != nil {
		tb.Fatal(err)
	}

	fd, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		tb.Fatal(err)
	}

	return fd.Services().Get(0).Methods().Get(0)
}

func exampleOf(tb testing.TB, method protoreflect.MethodDescriptor) (request, answer proto.Message) {
	tb.Helper()

	examples, err := NewExamples()
	if err != nil {
		tb.Fatal(err)
	}

	return examples.Of(method)
}

// What cannot be made is left out, and the other half of the exchange is not.
func TestExamplesOfWhatCannotBeMade(t *testing.T) {
	t.Parallel()

	field := func(text string) string {
		return `message_type { name: "M0" field { number: 1 name: "f" label: LABEL_OPTIONAL ` + text + ` } }`
	}

	for name, row := range map[string]struct {
		messages         string
		request, answers bool
	}{
		"satisfiable":    {field(`type: TYPE_INT32 options { [buf.validate.field] { int32 { gt: 3 } } }`), true, true},
		"no_value_left":  {field(`type: TYPE_INT32 options { [buf.validate.field] { int32 { in: 1 not_in: 1 } } }`), false, true},
		"never_again":    {field(`type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" options { [buf.validate.field] { timestamp { within { seconds: 1 } } } }`), false, true},
		"within_itself":  {field(`type: TYPE_MESSAGE type_name: ".examples.M0" options { [buf.validate.field] { required: true } }`), false, true},
		"rules_of_other": {field(`type: TYPE_INT64 options { [buf.validate.field] { string { const: "a" } } }`), false, false},
		"no_pattern":     {field(`type: TYPE_STRING options { [buf.validate.field] { string { pattern: "(" } } }`), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			request, answer := exampleOf(t, exchanging(t, row.messages))
			if (request != nil) != row.request || (answer != nil) != row.answers {
				t.Errorf("got %v and %v", request, answer)
			}
		})
	}
}

// Examples are committed: what they are depends on nothing but the protos.
func TestExamplesDoNotDependOnThePresent(t *testing.T) {
	t.Parallel()

	request, _ := exampleOf(t, exchanging(t, `message_type { name: "M0" field { number: 1 name: "f" label: LABEL_OPTIONAL
		type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" options { [buf.validate.field] { timestamp { gt_now: true } } } } }`))

	field := request.ProtoReflect().Descriptor().Fields().Get(0)
	if got := time.Unix(seconds(request.ProtoReflect().Get(field)), 0).Year(); got != 2125 {
		t.Errorf("it is in %d", got)
	}
}

// Once, messages that lead to many others made examples of millions of messages.
func TestExamplesAreNotTooLarge(t *testing.T) {
	t.Parallel()

	const types = 12

	var messages strings.Builder

	for i := range types {
		fmt.Fprintf(&messages, `message_type { name: "M%d" `, i)

		for j := range types {
			fmt.Fprintf(&messages, `field { number: %d name: "f%d" label: LABEL_REPEATED type: TYPE_MESSAGE type_name: ".examples.M%d" } `, j+1, j, j)
		}

		messages.WriteString("} ")
	}

	request, answer := exampleOf(t, exchanging(t, messages.String()))
	for _, m := range []proto.Message{request, answer} {
		if size := proto.Size(m); size == 0 || size > 64<<10 {
			t.Errorf("%d bytes", size)
		}
	}
}
