package protojson_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// masked is a message with a mask that protojson has to write, because it may have extensions.
func masked(tb testing.TB, mask *fieldmaskpb.FieldMask) proto.Message {
	tb.Helper()

	file := &descriptorpb.FileDescriptorProto{}
	if err := prototext.Unmarshal([]byte(`name: "masked.proto" package: "masked" dependency: "google/protobuf/field_mask.proto"
		message_type {
			name: "Masked" extension_range {start: 100 end: 200}
			field {name: "mask" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".google.protobuf.FieldMask"}
			field {name: "text" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL}
		}`), file); err != nil {
		tb.Fatal(err)
	}

	desc, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		tb.Fatal(err)
	}

	m := dynamicpb.NewMessage(desc.Messages().Get(0))
	m.Set(m.Descriptor().Fields().ByName("mask"), protoreflect.ValueOfMessage(mask.ProtoReflect()))
	m.Set(m.Descriptor().Fields().ByName("text"), protoreflect.ValueOfString("porticofieldmask0"))

	return m
}

// Once, a mask that a client had sent could not be written.
func TestMasksThatProtojsonRefuses(t *testing.T) {
	t.Parallel()

	const (
		written   = iota
		protoOnly // Only in the spelling of the proto.
		never
	)

	for _, row := range []struct {
		paths, want string
		when        int
	}{
		{"", "", written},
		{"*", "*", written},
		{"a_b", "aB", written},
		{"a_b line_1", "aB,line_1", protoOnly},
		{"a__b", "a__b", protoOnly},
		{"_a_", "_a_", protoOnly},
		{"aB", "aB", protoOnly},
		{"a *", "", never},
		{"* a", "", never},
		{"* *", "", never},
		{`"`, "", never},
		{"\u00e9", "", never},
	} {
		mask := &fieldmaskpb.FieldMask{Paths: strings.Fields(row.paths)}

		if got := slices.ContainsFunc(mask.GetPaths(), protojson.IsProtoPath); got != (row.when == protoOnly) {
			t.Errorf("%q: a path of a proto: %t", row.paths, got)
		}

		for m, want := range map[proto.Message]string{
			mask:                            `"` + row.want + `"`,
			&everyv1.Every{FieldMask: mask}: `{"fieldMask":"` + row.want + `"}`,
			masked(t, mask):                 `{"mask":"` + row.want + `","text":"porticofieldmask0"}`,
		} {
			got, err := writers[0].Append(nil, m, false)
			if (err == nil) != (row.when == written) || errors.Is(err, protojson.ErrMask) != (err != nil) || err == nil && string(got) != want {
				t.Errorf("%q: %s, %v", row.paths, got, err)
			}

			got, err = writers[0].Append(nil, m, true)
			if (err == nil) != (row.when != never) || err == nil && string(got) != want {
				t.Errorf("%q in the proto's spelling: %s, %v", row.paths, got, err)
			}
		}
	}
}
