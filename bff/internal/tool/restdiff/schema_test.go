package restdiff_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/tool/restdiff"
)

// fields is a message, in line 10, that is both request and response of one method. What precedes it stands in line 8.
func fields(before, inside string) string {
	return before + `
message Ask {
  ` + inside + `
}
message Get { Ask ask = 1; }
message None {}
service S {
  rpc Read(Get) returns (None) { option (google.api.http) = {post: "/v1/a" body: "*"}; }
  rpc Write(None) returns (Get) { option (google.api.http) = {get: "/v1/b"}; }
}`
}

func TestSchemas(t *testing.T) {
	t.Parallel()

	const enum = `enum E { ZERO = 0; ONE = 1; TWO = 2; }`

	for _, row := range []struct {
		name, before, after string
		want                []string
	}{
		{"nothing", fields("", `string a = 1;`), fields("", `string a = 1; int32 b = 2;`), nil},
		{"another_number_and_order", fields("", `string a = 1; string b = 2;`), fields("", `string b = 7; string a = 3;`), nil},
		{"removed", fields("", `string a = 1;`), fields("", ``), []string{
			"-10:3 REQUEST_FIELD_REMOVED: a -> ", "-10:3 RESPONSE_FIELD_REMOVED: a -> ",
		}},
		{"renamed", fields("", `string a_b = 1;`), fields("", `string c_d = 1;`), []string{
			"10:3 REQUEST_FIELD_RENAMED: aB -> cD", "10:3 RESPONSE_FIELD_RENAMED: aB -> cD",
		}},
		{"renamed_but_for_its_json_name", fields("", `string a = 1;`), fields("", `string b = 1 [json_name = "a"];`), nil},
		{"another_json_name", fields("", `string a = 1;`), fields("", `string a = 1 [json_name = "b"];`), []string{
			"10:3 REQUEST_FIELD_RENAMED: a -> b", "10:3 RESPONSE_FIELD_RENAMED: a -> b",
		}},
		{"wider_number", fields("", `int32 a = 1;`), fields("", `int64 a = 1;`), []string{
			"10:3 RESPONSE_FIELD_TYPE_CHANGED: a number (int32) -> a string of digits (int64)",
		}},
		{"narrower_number", fields("", `int64 a = 1;`), fields("", `int32 a = 1;`), []string{
			"10:3 REQUEST_FIELD_TYPE_CHANGED: a string of digits (int64) -> a number (int32)",
			"10:3 RESPONSE_FIELD_TYPE_CHANGED: a string of digits (int64) -> a number (int32)",
		}},
		{"same_in_json", fields("", `int32 a = 1; float b = 2;`), fields("", `sint32 a = 1; double b = 2;`), nil},
		{"list", fields("", `string a = 1;`), fields("", `repeated string a = 1;`), []string{
			"10:3 REQUEST_FIELD_TYPE_CHANGED: a string -> a list of a string",
			"10:3 RESPONSE_FIELD_TYPE_CHANGED: a string -> a list of a string",
		}},
		{"nullable", fields("", `string a = 1;`), fields("", `google.protobuf.StringValue a = 1;`), []string{
			"10:3 RESPONSE_FIELD_TYPE_CHANGED: a string -> a string or null",
		}},
		{"time", fields("", `string a = 1;`), fields("", `google.protobuf.Timestamp a = 1;`), []string{
			"10:3 REQUEST_FIELD_TYPE_CHANGED: a string -> a string (Timestamp)",
			"10:3 RESPONSE_FIELD_TYPE_CHANGED: a string -> a string (Timestamp)",
		}},
		{"enum_value_removed", fields(enum, `E e = 1;`), fields(`enum E { ZERO = 0; ONE = 1; }`, `E e = 1;`), []string{
			"-8:29 ENUM_VALUE_REMOVED: TWO -> ",
		}},
		{"enum_value_renamed", fields(enum, `map<string, E> e = 1;`), fields(`enum E { ZERO = 0; ONE = 1; THREE = 2; }`, `map<string, E> e = 1;`), []string{
			"8:29 ENUM_VALUE_RENAMED: TWO -> THREE",
		}},
		{"recursive", fields("", `Ask ask = 1; string a = 2;`), fields("", `Ask ask = 1;`), []string{
			"-10:16 REQUEST_FIELD_REMOVED: a -> ", "-10:16 RESPONSE_FIELD_REMOVED: a -> ",
		}},
		{"into_a_oneof", fields("", `string a = 1; string b = 2;`), fields("", `oneof x { string a = 1; string b = 2; }`), []string{
			"10:13 REQUEST_FIELD_INTO_ONEOF:  -> x", "10:27 REQUEST_FIELD_INTO_ONEOF:  -> x",
		}},
		{"new_and_required", fields("", ``), fields("", `Ask a = 1 [(buf.validate.field).required = true]; string b = 2 [(buf.validate.field).string.min_len = 1];`), []string{
			"10:3 REQUEST_FIELD_REQUIRED: optional -> required", "10:53 REQUEST_FIELD_REQUIRED: optional -> required",
		}},
		{"new_and_bounded", fields("", ``), fields("", `string b = 2 [(buf.validate.field).string.max_len = 1];`), nil},
		{"rules_new", fields("", `string a = 1; int32 b = 2;`), fields("", `string a = 1 [(buf.validate.field).string.max_len = 9]; int32 b = 2 [(buf.validate.field).int32 = {gte: 0}];`), []string{
			"10:3 REQUEST_RULE_TIGHTENED:  -> 9", "10:59 REQUEST_RULE_TIGHTENED:  -> 0",
		}},
		{
			"rules_tightened", fields("", `string a = 1 [(buf.validate.field).string = {max_len: 9}]; int32 b = 2 [(buf.validate.field).int32 = {gte: 0, lt: 10}];`),
			fields("", `string a = 1 [(buf.validate.field).string = {max_len: 8}]; int32 b = 2 [(buf.validate.field).int32 = {gt: -1, lte: 8}];`),
			[]string{
				"10:3 REQUEST_RULE_TIGHTENED: 9 -> 8", "10:62 REQUEST_RULE_TIGHTENED:  -> 8",
			},
		},
		{
			"rules_loosened", fields("", `string a = 1 [(buf.validate.field).string = {max_len: 9 pattern: "a" in: ["a"]}];`),
			fields("", `string a = 1 [(buf.validate.field).string = {max_len: 10 in: ["a", "b"]}];`), nil,
		},
		{"pattern", fields("", `repeated string a = 1 [(buf.validate.field).repeated.items.string.pattern = "a"];`), fields("", `repeated string a = 1 [(buf.validate.field).repeated.items.string.pattern = "b"];`), []string{
			`10:3 REQUEST_RULE_TIGHTENED: "a" -> "b"`,
		}},
		{"cel", fields("", `string a = 1;`), fields("", `string a = 1 [(buf.validate.field).cel = {id: "x" expression: "this != 'x'"}];`), []string{
			"10:3 REQUEST_RULE_TIGHTENED:  -> this != 'x'",
		}},
		{"ignored_no_longer", fields("", `string a = 1 [(buf.validate.field) = {ignore: IGNORE_ALWAYS string: {max_len: 1}}];`), fields("", `string a = 1 [(buf.validate.field) = {string: {max_len: 1}}];`), []string{
			"10:3 REQUEST_RULE_TIGHTENED: IGNORE_ALWAYS -> ",
		}},
		{"message_rule", fields("", `string a = 1;`), fields("", `option (buf.validate.message).cel_expression = "this.a != 'x'"; string a = 1;`), []string{
			"9:1 REQUEST_RULE_TIGHTENED:  -> this.a != 'x'",
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			if d := cmp.Diff(row.want, diff(t, row.before, row.after)); d != "" {
				t.Error(d)
			}
		})
	}
}

// What a client sees of a path variable is its place.
func TestFieldsOfThePath(t *testing.T) {
	t.Parallel()

	proto := func(path, ask string) string {
		return `
message Ask { ` + ask + ` }
message None {}
service S { rpc Read(Ask) returns (None) { option (google.api.http) = {get: "` + path + `"}; } }`
	}
	before := proto("/v1/a/{x}", `string x = 1; string y = 2;`)

	for _, row := range []struct {
		name, after string
		want        []string
	}{
		{"another_name", proto("/v1/a/{z}", `string z = 1; string y = 2;`), nil},
		{"another_type", proto("/v1/a/{x}", `int32 x = 1; string y = 2;`), []string{
			"9:15 REQUEST_FIELD_TYPE_CHANGED: a string -> a number (int32)",
		}},
		{"moved", proto("/v1/a/{y}", `string x = 1; string y = 2;`), []string{"9:29 REQUEST_FIELD_REMOVED: y -> "}},
	} {
		if d := cmp.Diff(row.want, diff(t, before, row.after)); d != "" {
			t.Errorf("%s: %s", row.name, d)
		}
	}
}

// One change of a message that many routes share is told once.
func TestRoutesOfAChange(t *testing.T) {
	t.Parallel()

	changes, err := restdiff.Compare(compile(t, fields("", `string a = 1;`)+`
service T { rpc Write(None) returns (Get) { option (google.api.http) = {get: "/v1/c"}; } }`), compile(t, fields("", ``)+`
service T { rpc Write(None) returns (Get) { option (google.api.http) = {get: "/v1/c"}; } }`))
	if err != nil {
		t.Fatal(err)
	}

	i := slices.IndexFunc(changes, func(c restdiff.Change) bool { return c.Rule == restdiff.ResponseFieldRemoved })
	if d := cmp.Diff([]string{"GET /v1/b", "GET /v1/c"}, changes[i].Routes); d != "" || len(changes) != 2 {
		t.Errorf("%s\n%+v", d, changes)
	}
}

func TestWhatCannotBeCompared(t *testing.T) {
	t.Parallel()

	good := compile(t, one(`post: "/v1/a"`, `access: {public: true}`))
	bad := compile(t, one(`post: "/v1/a"`, `access: {public: true} timeout: {seconds: -1}`))

	if _, err := restdiff.Compare(good, bad); err == nil || !strings.HasPrefix(err.Error(), "shop.proto:12:") {
		t.Error(err)
	}

	if _, err := restdiff.Compare(bad, good); err == nil || !strings.HasPrefix(err.Error(), "the old files: shop.proto:12:") {
		t.Error(err)
	}
}
