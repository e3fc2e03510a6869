package description_test

import "github.com/portico-gateway/portico/bff/internal/testkit/openapitest"

// exampleCases are protos whose examples once stopped the generation, or did not match their schemas.
var exampleCases = map[string]string{
	"well_known_types": openapitest.Imports + `service S {
		rpc Any(google.protobuf.Any) returns (google.protobuf.Any) { option (google.api.http) = {post: "/v1/any" body: "*"}; }
		rpc Struct(google.protobuf.Struct) returns (google.protobuf.Struct) { option (google.api.http) = {post: "/v1/struct" body: "*"}; }
		rpc Value(google.protobuf.Value) returns (google.protobuf.Value) { option (google.api.http) = {post: "/v1/value" body: "*"}; }
		rpc List(google.protobuf.ListValue) returns (google.protobuf.ListValue) { option (google.api.http) = {post: "/v1/list" body: "*"}; }
		rpc Empty(google.protobuf.Empty) returns (google.protobuf.Empty) { option (google.api.http) = {post: "/v1/empty" body: "*"}; }
		rpc Mask(google.protobuf.FieldMask) returns (google.protobuf.FieldMask) { option (google.api.http) = {post: "/v1/mask" body: "*"}; }
		rpc Time(google.protobuf.Timestamp) returns (google.protobuf.Timestamp) { option (google.api.http) = {post: "/v1/time" body: "*"}; }
		rpc Span(google.protobuf.Duration) returns (google.protobuf.Duration) { option (google.api.http) = {post: "/v1/span" body: "*"}; }
		rpc Bool(google.protobuf.BoolValue) returns (google.protobuf.BoolValue) { option (google.api.http) = {post: "/v1/bool" body: "*"}; }
		rpc Int(google.protobuf.Int64Value) returns (google.protobuf.Int64Value) { option (google.api.http) = {post: "/v1/int" body: "*"}; }
		rpc Double(google.protobuf.DoubleValue) returns (google.protobuf.DoubleValue) { option (google.api.http) = {post: "/v1/double" body: "*"}; }
		rpc Text(google.protobuf.StringValue) returns (google.protobuf.StringValue) { option (google.api.http) = {post: "/v1/text" body: "*"}; }
		rpc Bytes(google.protobuf.BytesValue) returns (google.protobuf.BytesValue) { option (google.api.http) = {post: "/v1/bytes" body: "*"}; }
		rpc Status(google.rpc.Status) returns (google.rpc.Status) { option (google.api.http) = {post: "/v1/status" body: "*"}; }
		rpc Stream(google.protobuf.Struct) returns (stream google.protobuf.Any) { option (google.api.http) = {post: "/v1/stream" body: "*"}; }
		rpc Query(google.protobuf.Timestamp) returns (google.protobuf.Value) { option (google.api.http) = {get: "/v1/query"}; }
		rpc Fields(M) returns (M) { option (google.api.http) = {
			post: "/v1/m" body: "*"
			additional_bindings: {post: "/v1/m/any" body: "any" response_body: "any"}
			additional_bindings: {post: "/v1/m/anys" body: "anys" response_body: "anys"}
			additional_bindings: {post: "/v1/m/value" body: "value" response_body: "value"}
			additional_bindings: {post: "/v1/m/null" body: "null" response_body: "null"}
			additional_bindings: {post: "/v1/m/values" body: "values" response_body: "values"}
			additional_bindings: {post: "/v1/m/text" body: "text" response_body: "text"}
			additional_bindings: {post: "/v1/m/count" body: "count" response_body: "count"}
			additional_bindings: {post: "/v1/m/color" body: "color" response_body: "color"}
			additional_bindings: {post: "/v1/m/file" body: "file" response_body: "file"}
			additional_bindings: {post: "/v1/m/at" body: "at" response_body: "at"}
			additional_bindings: {patch: "/v1/m/{text}" body: "*"}
		}; }
	}
	enum Color { RED = 0; }
	message M {
		google.protobuf.Any any = 1 [(buf.validate.field).required = true];
		repeated google.protobuf.Any anys = 2 [(buf.validate.field).repeated.min_items = 2];
		map<string, google.protobuf.Any> any_by_name = 3 [(buf.validate.field).map.min_pairs = 1];
		google.protobuf.Value value = 4;
		google.protobuf.NullValue null = 5;
		map<int32, google.protobuf.Value> values = 6;
		google.protobuf.StringValue text = 7;
		int64 count = 8;
		Color color = 9;
		google.api.HttpBody file = 10;
		google.protobuf.Timestamp at = 11;
		google.protobuf.FieldMask mask = 12 [(buf.validate.field).required = true];
		repeated google.protobuf.Empty nothings = 13;
		google.rpc.Status status = 14;
		repeated google.protobuf.NullValue nulls = 15;
		map<bool, google.protobuf.FloatValue> floats = 16;
	}`,

	"behaviors": openapitest.Imports + `service S {
		rpc Do(Request) returns (Book) { option (google.api.http) = {
			post: "/v1/a" body: "*"
			additional_bindings: {post: "/v1/b" body: "book"}
			additional_bindings: {post: "/v1/c" body: "books"}
			additional_bindings: {post: "/v1/d" body: "by_name"}
			additional_bindings: {patch: "/v1/{book.id}" body: "book"}
		}; }
		rpc List(Request) returns (Books) { option (google.api.http) = {get: "/v1/a" response_body: "books"}; }
	}
	message Books { repeated Book books = 1; }
	message Request { Book book = 1; repeated Book books = 2; map<string, Book> by_name = 3; google.protobuf.FieldMask mask = 4; }
	message Book {
		string id = 1 [(google.api.field_behavior) = OUTPUT_ONLY];
		string title = 2 [(google.api.field_behavior) = REQUIRED, (google.api.field_behavior) = IMMUTABLE];
		Author author = 3;
		repeated Author authors = 4 [(google.api.field_behavior) = IMMUTABLE];
		map<string, Author> others = 5;
		string secret = 6 [(google.api.field_behavior) = INPUT_ONLY];
		oneof key { string name = 7 [(google.api.field_behavior) = IDENTIFIER]; string isbn = 8 [(google.api.field_behavior) = OUTPUT_ONLY]; }
		string etag = 9 [(google.api.field_behavior) = OUTPUT_ONLY, (buf.validate.field).string.min_len = 1];
		google.protobuf.Timestamp at = 10 [(google.api.field_behavior) = OUTPUT_ONLY, (buf.validate.field).required = true];
	}
	message Author {
		string key = 1 [(google.api.field_behavior) = OUTPUT_ONLY];
		string name = 2;
		string password = 3 [(google.api.field_behavior) = INPUT_ONLY];
		int32 born = 4 [(google.api.field_behavior) = IMMUTABLE];
	}`,

	"proto2": `syntax = "proto2"; package two.v1; import "google/api/annotations.proto"; import "google/api/field_behavior.proto";
	import "google/protobuf/field_mask.proto"; import "google/protobuf/any.proto";
	service S {
		rpc Do(M) returns (M) { option (google.api.http) = {post: "/v1/m" body: "*" additional_bindings: {get: "/v1/m/{name}/{inner.kind}"}}; }
		rpc DoChange(Change) returns (M) { option (google.api.http) = {patch: "/v1/m/{m.name}" body: "m"}; }
		rpc DoLoop(Loop) returns (M) { option (google.api.http) = {post: "/v1/loop" body: "*"}; }
		rpc Looped(M) returns (Loop) { option (google.api.http) = {post: "/v1/looped" body: "*"}; }
		rpc Chain(C1) returns (C1) { option (google.api.http) = {post: "/v1/chain" body: "*"}; }
		rpc Page(PageRequest) returns (PageResponse) { option (google.api.http) = {get: "/v1/page"}; }
	}
	enum Kind { option allow_alias = true; PLAIN = 3; SIMPLE = 3; FANCY = -1; }
	message M {
		required string name = 1 [default = "none", (google.api.field_behavior) = IMMUTABLE];
		required Kind kind = 2 [default = FANCY];
		optional int64 size = 3 [default = 7];
		required group Part = 4 { required bytes data = 1; optional M whole = 2; }
		repeated group Parts = 5 { optional float share = 1 [default = inf]; }
		required google.protobuf.Any any = 6;
		optional Inner inner = 7;
		required string out = 8 [(google.api.field_behavior) = OUTPUT_ONLY];
		required string in = 9 [(google.api.field_behavior) = INPUT_ONLY];
		map<string, Inner> inners = 10;
		extensions 100 to 200;
	}
	extend M { optional string more = 100; optional Inner more_inner = 101; }
	message Inner { required Kind kind = 1; optional string text = 2; }
	message Change { required M m = 1; required google.protobuf.FieldMask mask = 2; }
	message Loop { required Loop loop = 1; optional string text = 2; }
	message C1 { required C2 c = 1; } message C2 { required C3 c = 1; } message C3 { required C4 c = 1; } message C4 { required C5 c = 1; }
	message C5 { required C6 c = 1; } message C6 { required C7 c = 1; } message C7 { required C8 c = 1; } message C8 { required C9 c = 1; }
	message C9 { required CA c = 1; } message CA { required CB c = 1; } message CB { required string text = 1; }
	message PageRequest { optional int32 page_size = 1; required string page_token = 2; required string user_id = 3; }
	message PageResponse { repeated Inner inners = 1; optional string next_page_token = 2; required string of = 3; }`,

	"required_in_editions": openapitest.Imports + `service S { rpc Do(M) returns (M) { option (google.api.http) = {post: "/v1/m" body: "*" additional_bindings: {get: "/v1/m"}}; } }
	message M {
		string name = 1 [features.field_presence = LEGACY_REQUIRED];
		Inner inner = 2 [features.field_presence = LEGACY_REQUIRED];
		Inner delimited = 3 [features.message_encoding = DELIMITED];
		Closed closed = 4 [features.field_presence = EXPLICIT];
		int32 size = 5 [features.field_presence = EXPLICIT, default = 7];
	}
	message Inner { string text = 1 [features.field_presence = LEGACY_REQUIRED]; }
	enum Closed { option features.enum_type = CLOSED; CLOSED_FIVE = 5; }`,

	"unsatisfiable": openapitest.Imports + `service S {
		rpc DoText(Text) returns (Text) { option (google.api.http) = {post: "/v1/text" body: "*"}; }
		rpc DoNumber(Number) returns (Number) { option (google.api.http) = {post: "/v1/number" body: "*"}; }
		rpc DoLoop(Loop) returns (Loop) { option (google.api.http) = {post: "/v1/loop" body: "*"}; }
		rpc DoWhole(Whole) returns (Whole) { option (google.api.http) = {post: "/v1/whole" body: "*"}; }
		rpc DoNow(Now) returns (Now) { option (google.api.http) = {post: "/v1/now" body: "*"}; }
		rpc DoKind(Kind) returns (Kind) { option (google.api.http) = {post: "/v1/kind" body: "*"}; }
		rpc DoMany(Many) returns (Many) { option (google.api.http) = {post: "/v1/many" body: "*"}; }
	}
	message Text { string text = 1 [(buf.validate.field).string = {pattern: "^[^\\x00-\\x{10FFFF}]$"}]; }
	message Number { int32 n = 1 [(buf.validate.field).int32 = {in: [1], not_in: [1]}]; }
	message Loop { Loop loop = 1 [(buf.validate.field).required = true]; }
	message Whole { option (buf.validate.message).cel = {id: "no" message: "never" expression: "false"}; string text = 1; }
	message Now {
		google.protobuf.Timestamp at = 1 [(buf.validate.field).timestamp.within = {seconds: 1}];
		google.protobuf.Timestamp later = 2 [(buf.validate.field).timestamp.gt_now = true];
	}
	enum Color { RED = 0; BLUE = 1 [deprecated = true]; }
	message Kind { Color color = 1 [(buf.validate.field).enum = {not_in: [0, 1]}]; }
	message Many { repeated Loop loops = 1 [(buf.validate.field).repeated.min_items = 1000000]; string long = 2 [(buf.validate.field).string.min_len = 3]; }`,

	"rules": openapitest.Imports + `service S {
		rpc Texts(T) returns (T) { option (google.api.http) = {post: "/v1/texts" body: "*"}; }
		rpc Numbers(N) returns (N) { option (google.api.http) = {post: "/v1/numbers" body: "*"}; }
	}
	message T {
		string email = 1 [(buf.validate.field).string.email = true];
		string hostname = 2 [(buf.validate.field).string.hostname = true];
		string ip = 3 [(buf.validate.field).string.ip = true];
		string ipv4 = 4 [(buf.validate.field).string.ipv4 = true];
		string ipv6 = 5 [(buf.validate.field).string.ipv6 = true];
		string uri = 6 [(buf.validate.field).string.uri = true];
		string uri_ref = 7 [(buf.validate.field).string.uri_ref = true];
		string address = 8 [(buf.validate.field).string.address = true];
		string uuid = 9 [(buf.validate.field).string.uuid = true];
		string pattern = 10 [(buf.validate.field).string.pattern = "^[\\w-.]{3,9}\\@a$"];
		string ends = 11 [(buf.validate.field).string = {prefix: "a.", suffix: ".b", contains: "+"}];
		string fixed = 12 [(buf.validate.field).string.const = "c"];
		string one = 13 [(buf.validate.field).string = {in: ["a", "b"]}];
		string length = 14 [(buf.validate.field).string = {min_len: 100, max_len: 120}];
		string exact = 15 [(buf.validate.field).string.len = 3];
		repeated string many = 16 [(buf.validate.field).repeated = {min_items: 5, max_items: 6, unique: true, items: {string: {max_len: 4}}}];
		map<string, string> pairs = 17 [(buf.validate.field).map = {min_pairs: 4, keys: {string: {pattern: "^k[0-9]+$"}}, values: {string: {min_len: 1}}}];
		string or_empty = 18 [(buf.validate.field).ignore = IGNORE_IF_ZERO_VALUE, (buf.validate.field).string.min_len = 5];
		string not = 19 [(buf.validate.field).string.not_in = "x"];
		bytes raw = 20 [(buf.validate.field).bytes = {min_len: 3, max_len: 5}];
		google.protobuf.Duration span = 21 [(buf.validate.field).duration = {gte: {seconds: 1}, lt: {seconds: 2}}];
		google.protobuf.StringValue wrapped = 22 [(buf.validate.field).string.email = true];
	}
	message N {
		float f = 1 [(buf.validate.field).float.const = 0.1];
		float g = 2 [(buf.validate.field).float = {in: [0.1, 0.7]}];
		float h = 3 [(buf.validate.field).float = {gte: 0.1, lte: 0.1}];
		double d = 4 [(buf.validate.field).double = {gt: 0.1, lt: 0.2, finite: true}];
		int32 i = 5 [(buf.validate.field).int32 = {gt: 5, lt: 1}];
		uint32 u = 6 [(buf.validate.field).uint32 = {in: [4294967295]}];
		int64 l = 7 [(buf.validate.field).int64 = {gte: 9223372036854775807}];
		uint64 m = 8 [(buf.validate.field).uint64.const = 18446744073709551615];
		sint32 s = 9 [(buf.validate.field).sint32.lte = -5];
		fixed32 x = 10 [(buf.validate.field).fixed32 = {gte: 7, lte: 7}];
		bool b = 11 [(buf.validate.field).bool.const = true];
		double inf = 12 [(buf.validate.field).double.const = inf];
		double nan = 13 [(buf.validate.field).double = {lte: inf}];
		google.protobuf.FloatValue wrapped = 14 [(buf.validate.field).float.gt = 0.1];
		E e = 15 [(buf.validate.field).enum = {in: [1]}];
		map<bool, E> es = 16 [(buf.validate.field).map = {min_pairs: 2, values: {enum: {not_in: [0]}}}];
	}
	enum E { E_NONE = 0; E_ONE = 1; E_TWO = 2; }`,
}
