package mock

import (
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

// ruled makes a message type of one field.
func ruled(tb testing.TB, field string) protoreflect.MessageDescriptor {
	tb.Helper()

	file := &descriptorpb.FileDescriptorProto{}

	err := prototext.Unmarshal([]byte(`
		name: "ruled.proto" package: "ruled" syntax: "proto3"
		dependency: "buf/validate/validate.proto"
		dependency: "google/protobuf/timestamp.proto"
		dependency: "google/protobuf/duration.proto"
		dependency: "google/protobuf/wrappers.proto"
		enum_type { name: "Color" value { name: "NONE" number: 0 } value { name: "RED" number: 1 } value { name: "BLUE" number: 2 } }
		message_type { name: "M" field { number: 1 `+field+` }
			nested_type { name: "LabelsEntry" options { map_entry: true }
				field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
				field { name: "value" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL } } }`), file)
	if err != nil {
		tb.Fatal(err)
	}

	fd, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		tb.Fatal(err)
	}

	return fd.Messages().Get(0)
}

func TestRules(t *testing.T) {
	t.Parallel()

	text := func(name, rules string) string {
		return `name: "` + name + `" type: TYPE_STRING label: LABEL_OPTIONAL options { [buf.validate.field] { string { ` + rules + ` } } }`
	}
	number := func(kind, rules string) string {
		return `name: "quantity" type: TYPE_` + kind + ` label: LABEL_OPTIONAL options { [buf.validate.field] { ` + rules + ` } }`
	}
	message := func(kind, rules string) string {
		return `name: "f" type: TYPE_MESSAGE type_name: ".google.protobuf.` + kind + `" label: LABEL_OPTIONAL
			options { [buf.validate.field] { required: true ` + rules + ` } }`
	}

	for name, field := range map[string]string{
		"string_const":        text("city", `const: "Graz"`),
		"string_example":      text("city", `example: "Graz" example: "Linz" min_len: 3`),
		"string_in":           text("city", `in: ["Graz", "Linz"]`),
		"string_not_in":       text("role", `not_in: ["viewer", "editor"]`),
		"string_long":         text("name", `min_len: 200 max_len: 210`),
		"string_short":        text("description", `min_len: 1 max_len: 3`),
		"string_exact":        text("description", `len: 12`),
		"string_bytes":        text("city", `min_bytes: 4 max_bytes: 6`),
		"string_exact_bytes":  text("title", `len_bytes: 9`),
		"string_pattern":      text("code", `pattern: "^[A-Z]{3}-[0-9]{4}$"`),
		"string_pattern_len":  text("code", `pattern: "^[a-z0-9-]+$" max_len: 6 min_len: 2`),
		"string_either":       text("x", `pattern: "^(gold|silver)$"`),
		"string_ends":         text("path", `prefix: "/v1/" suffix: ".json" max_len: 20`),
		"string_contains":     text("note", `contains: "::" not_contains: "#"`),
		"string_email":        text("contact", `email: true`),
		"string_hostname":     text("f", `hostname: true`),
		"string_ip":           text("f", `ip: true`),
		"string_ipv4":         text("f", `ipv4: true`),
		"string_ipv6":         text("f", `ipv6: true`),
		"string_uri":          text("f", `uri: true`),
		"string_uri_ref":      text("f", `uri_ref: true`),
		"string_address":      text("f", `address: true`),
		"string_uuid":         text("f", `uuid: true`),
		"string_tuuid":        text("f", `tuuid: true`),
		"string_ip_prefixlen": text("f", `ip_with_prefixlen: true`),
		"string_ipv6_len":     text("f", `ipv6_with_prefixlen: true`),
		"string_ip_prefix":    text("f", `ip_prefix: true`),
		"string_ipv6_prefix":  text("f", `ipv6_prefix: true`),
		"string_host_port":    text("f", `host_and_port: true`),
		"string_ulid":         text("f", `ulid: true`),
		"string_fqn":          text("f", `protobuf_fqn: true`),
		"string_dot_fqn":      text("f", `protobuf_dot_fqn: true`),
		"string_header":       text("f", `well_known_regex: KNOWN_REGEX_HTTP_HEADER_NAME`),
		"string_header_value": text("f", `well_known_regex: KNOWN_REGEX_HTTP_HEADER_VALUE`),
		"int32_above":         number("INT32", `int32 { gte: 7000 lt: 7003 }`),
		"int32_below":         number("INT32", `int32 { lte: -5 }`),
		"int32_outside":       number("INT32", `int32 { gt: 100 lt: -100 }`),
		"int32_not_in":        number("INT32", `int32 { gte: 1 lte: 3 not_in: [1, 2] }`),
		"int64_const":         number("INT64", `int64 { const: 12 }`),
		"sint64":              number("SINT64", `sint64 { in: [7, 8] }`),
		"sfixed32":            number("SFIXED32", `sfixed32 { gt: 10 }`),
		"uint64":              number("UINT64", `uint64 { gt: 18446744073709551610 }`),
		"uint32":              number("UINT32", `uint32 { lt: 2 }`),
		"fixed32":             number("FIXED32", `fixed32 { gte: 4000000000 }`),
		"double":              number("DOUBLE", `double { gt: 0.25 lt: 0.26 finite: true }`),
		"float":               number("FLOAT", `float { gte: 1000.5 }`),
		"float_exclusive":     number("FLOAT", `float { gt: 5 lt: 5.001 }`),
		"bool":                number("BOOL", `bool { const: true }`),
		"bytes":               number("BYTES", `bytes { min_len: 30 max_len: 31 prefix: "ab" }`),
		"bytes_ends":          number("BYTES", `bytes { len: 8 prefix: "ab" suffix: "cd" }`),
		"bytes_ipv4":          number("BYTES", `bytes { ipv4: true }`),
		"enum_not_in":         number("ENUM", `enum { defined_only: true not_in: [0, 1] }`) + ` type_name: ".ruled.Color"`,
		"enum_in":             number("ENUM", `enum { in: [2] }`) + ` type_name: ".ruled.Color"`,
		"enum_const":          number("ENUM", `enum { const: 2 }`) + ` type_name: ".ruled.Color"`,
		"wrapper":             message("StringValue", `string { min_len: 40 }`),
		"wrapper_int":         message("Int64Value", `int64 { gte: 90000 }`),
		"timestamp_past":      message("Timestamp", `timestamp { lt_now: true }`),
		"timestamp_future":    message("Timestamp", `timestamp { gt_now: true }`),
		"timestamp_gte":       message("Timestamp", `timestamp { gte: { seconds: 4102444800 } }`),
		"timestamp_lt":        message("Timestamp", `timestamp { lt: { seconds: 1000 } }`),
		"timestamp_within":    message("Timestamp", `timestamp { within: { seconds: 7200 } }`),
		"duration_in":         message("Duration", `duration { in: [{ seconds: 3 }, { seconds: 5 }] }`),
		"duration_short":      message("Duration", `duration { gt: {} lte: { nanos: 5000000 } }`),
		"duration_long":       message("Duration", `duration { gte: { seconds: 90000 } }`),
		"duration_below":      message("Duration", `duration { lt: {} }`),
		"repeated": `name: "tags" type: TYPE_STRING label: LABEL_REPEATED options { [buf.validate.field] {
			repeated { min_items: 8 max_items: 9 unique: true items { string { min_len: 3 max_len: 8 } } } } }`,
		"repeated_few": `name: "fs" type: TYPE_INT32 label: LABEL_REPEATED options { [buf.validate.field] {
			repeated { max_items: 1 items { int32 { gte: 5000 } } } } }`,
		"map": `name: "labels" type: TYPE_MESSAGE type_name: ".ruled.M.LabelsEntry" label: LABEL_REPEATED options { [buf.validate.field] {
			map { min_pairs: 7 keys { string { pattern: "^[a-z]{3,9}$" } } values { int32 { gte: 9 } } } } }`,
		"map_few": `name: "labels" type: TYPE_MESSAGE type_name: ".ruled.M.LabelsEntry" label: LABEL_REPEATED options { [buf.validate.field] {
			map { max_pairs: 1 } } }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			made, md := testMaker(t), ruled(t, field)

			for n := range 50 {
				msg := dynamicpb.NewMessage(md)
				made.another().fill(msg, n)

				if err := made.validator.Validate(msg); err != nil {
					t.Fatalf("%d: %v: %v", n, err, msg)
				}
			}
		})
	}
}
