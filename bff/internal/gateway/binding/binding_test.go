package binding_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// bind returns the binding of a route of every.v1.EveryService.
func bind(tb testing.TB, name string, cfg binding.Config) *binding.Binding {
	tb.Helper()

	routes, err := schema.Routes(everyv1.File_every_v1_every_proto.Services().Get(0))
	if err != nil {
		tb.Fatal(err)
	}

	for _, r := range routes {
		if r.String() != name {
			continue
		}

		if cfg.Codec == nil {
			cfg.Codec = protojson.New(config.JSON{}.WithDefaults())
		}

		b, err := binding.Compile(r, cfg)
		if err != nil {
			tb.Fatal(err)
		}

		return b
	}

	tb.Fatalf("there is no route %s", name)

	return nil
}

// faults lists what an error names.
func faults(tb testing.TB, err error) string {
	tb.Helper()

	if err == nil {
		return ""
	}

	found := binding.Faults{}
	if !errors.As(err, &found) || len(found.List) == 0 {
		tb.Fatalf("%T %v", err, err)
	}

	return err.Error()
}

// queryFaults lists what is wrong with a query.
func queryFaults(tb testing.TB, b *binding.Binding, query string, m protoreflect.Message) string {
	tb.Helper()

	_, err := b.Query(query, m)

	return faults(tb, err)
}

func TestQuery(t *testing.T) {
	t.Parallel()

	b := bind(t, "GET /v1/every", binding.Config{})

	type every = everyv1.Every

	for query, want := range map[string]*every{
		"":                                 {},
		"int32Field=5":                     {Int32Field: 5},
		"int32_field=-5":                   {Int32Field: -5},
		"int32Field=1e2":                   {Int32Field: 100},
		"int64Field=9007199254740993":      {Int64Field: 9007199254740993},
		"uint64Field=18446744073709551615": {Uint64Field: 18446744073709551615},
		"doubleField=1.5&floatField=Infinity&boolField=true": {DoubleField: 1.5, FloatField: float32(math.Inf(1)), BoolField: true},
		"boolField=1":                                     {BoolField: true},
		"stringField=a+b%20c%26%C3%A4":                    {StringField: "a b c&ä"},
		"stringField=":                                    {},
		"optionalString=":                                 {OptionalString: new("")},
		"stringField=%22%5C%0A":                           {StringField: "\"\\\n"},
		"bytesField=-_-_":                                 {BytesField: []byte{0xfb, 0xff, 0xbf}},
		"color=COLOR_RED":                                 {Color: everyv1.Color_COLOR_RED},
		"color=1&optionalColor=-3":                        {Color: 1, OptionalColor: everyv1.Color_COLOR_BLUE.Enum()},
		"color=99":                                        {Color: 99},
		"int32s=1&int32s=2&strings=&strings=a":            {Int32S: []int32{1, 2}, Strings: []string{"", "a"}},
		"colors=COLOR_RED&colors=2":                       {Colors: []everyv1.Color{1, 2}},
		"every.int32Field=1":                              {Every: &every{Int32Field: 1}},
		"every.every.string_field=x&every.boolField=true": {Every: &every{BoolField: true, Every: &every{StringField: "x"}}},
		"byString[a]=1&byString[b c]=2":                   {ByString: map[string]string{"a": "1", "b c": "2"}},
		"by_int32[-1]=x":                                  {ByInt32: map[int32]string{-1: "x"}},
		"byBool[true]=x":                                  {ByBool: map[bool]string{true: "x"}},
		"int64ByString[a.b]=3":                            {Int64ByString: map[string]int64{"a.b": 3}},
		"timeByString[a]=2020-01-01T00:00:00Z":            {TimeByString: map[string]*timestamppb.Timestamp{"a": {Seconds: 1577836800}}},
		"every.byString[a]=1":                             {Every: &every{ByString: map[string]string{"a": "1"}}},
		"timestamp=2020-01-01T00:00:00.5Z":                {Timestamp: &timestamppb.Timestamp{Seconds: 1577836800, Nanos: 5e8}},
		"duration=1.5s":                                   {Duration: &durationpb.Duration{Seconds: 1, Nanos: 5e8}},
		"durations=1s&durations=2s":                       {Durations: []*durationpb.Duration{{Seconds: 1}, {Seconds: 2}}},
		"fieldMask=a,bC.dE":                               {FieldMask: &fieldmaskpb.FieldMask{Paths: []string{"a", "b_c.d_e"}}},
		"fieldMask=*":                                     {FieldMask: &fieldmaskpb.FieldMask{Paths: []string{"*"}}},
		"fieldMask=a,b_c.dE":                              {FieldMask: &fieldmaskpb.FieldMask{Paths: []string{"a", "b_c.d_e"}}},
		"fieldMask=a,b_c.d_e":                             {FieldMask: &fieldmaskpb.FieldMask{Paths: []string{"a", "b_c.d_e"}}},
		"boolWrapper=false&int64Wrapper=5&stringWrapper=&bytesWrapper=AQ": {
			BoolWrapper: wrapperspb.Bool(false), Int64Wrapper: wrapperspb.Int64(5), StringWrapper: wrapperspb.String(""),
			BytesWrapper: wrapperspb.Bytes([]byte{1}),
		},
		`value={"a":[1]}`: {Value: structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			"a": structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewNumberValue(1)}}),
		}})},
		"choiceString=a": {Choice: &everyv1.Every_ChoiceString{ChoiceString: "a"}},
		"@odd%20name=x":  {Renamed: "x"},
		"renamed=x":      {Renamed: "x"},
	} {
		m := &every{}
		if _, err := b.Query(query, m.ProtoReflect()); err != nil {
			t.Errorf("%s: %v", query, err)
		}

		if diff := cmp.Diff(want, m, protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
}

func TestQueryRefuses(t *testing.T) {
	t.Parallel()

	for _, row := range []struct{ route, query, want string }{
		{"GET /v1/every", "int32Feild=1", `query int32Feild: unknown parameter; did you mean "int32Field"?`},
		{"GET /v1/every", "x=1&y=2", "query x: unknown parameter; query y: unknown parameter"},
		{"GET /v1/every", "every.int32Feild=1", `query every.int32Feild: unknown parameter; did you mean "every.int32Field"?`},
		{"GET /v1/every", "int32Field.x=1", "query int32Field.x: unknown parameter"},
		{"GET /v1/every", "everies.int32Field=1", `query everies.int32Field: unknown parameter`},
		{"GET /v1/every", "int32Field=1&int32_field=1", `query int32_field: is the same as "int32Field"`},
		{"GET /v1/every", "int32Field=1&int32Field=2", "query int32Field: is set more than once"},
		{"GET /v1/every", "int32Field=x", `query int32Field: "x" is not a number`},
		{"GET /v1/every", "int32Field=", `query int32Field: "" is not a number`},
		{"GET /v1/every", "int32Field=2147483648", "query int32Field: 2147483648 is out of range"},
		{"GET /v1/every", "int32Field=1.5", "query int32Field: 1.5 is not an integer"},
		{"GET /v1/every", "boolField=yes", `query boolField: "yes" is not a boolean`},
		{"GET /v1/every", "color=COLOR_REDD", `query color: "COLOR_REDD" is not a value of the enum; did you mean "COLOR_RED"?`},
		{"GET /v1/every", "bytesField=!", "query bytesField: is not base64"},
		{"GET /v1/every", "stringField=%ff", "query stringField: is not valid UTF-8"},
		{"GET /v1/every", "stringField=%zz", "query : is not a valid query string"},
		{"GET /v1/every", "a;b", "query : is not a valid query string"},
		{"GET /v1/every", "int32s=1&int32s=x", `query int32s: value 2 "x" is not a number`},
		{"GET /v1/every", "every=1", "query every: is a message; only its fields can be given; write every.boolField=value"},
		{"GET /v1/every", "everies=1", "query everies: value 1 is a message; only its fields can be given"},
		{"GET /v1/every", "byString=1", "query byString: is a map; write byString[key]=value"},
		{"GET /v1/every", "stringField[a]=1", "query stringField[a]: is not a map; write stringField=value"},
		{"GET /v1/every", "byInt32[x]=1", `query byInt32[x]: "x" is not a key of type int32`},
		{"GET /v1/every", "byInt32[1]=1&byInt32[01]=2", "query byInt32[1]: is set under another spelling of the key"},
		{"GET /v1/every", "byString[a]=1&by_string[a]=2", `query by_string[a]: is the same as "byString[a]"`},
		{"GET /v1/every", "byString[a]=1&byString[a]=2", "query byString[a]: is set more than once"},
		{"GET /v1/every", "choiceString=a&choiceInt32=1", `query choiceString: is a second member of the oneof "choice", as choiceInt32 is`},
		{"GET /v1/every", "timestamp=now", `query timestamp: "now" is not a time as in RFC 3339`},
		{"GET /v1/every", "duration=1h", `query duration: "1h" is not a duration in seconds, such as "1.5s"`},
		{"GET /v1/every", "fieldMask=a..b", `query fieldMask: "a..b" is not a path of fields in camelCase`},
		{"GET /v1/every", "fieldMask=a_b,", `query fieldMask: "" is not a path of fields`},
		{"GET /v1/every", "value={", "query value: not one JSON document: the document ends too early"},
		{"GET /v1/every", "any={}", "query any: is a message; only its fields can be given"},
		{"GET /v1/every", "=1", "query : unknown parameter"},
		{"GET /v1/every", "timestamp.seconds=5", "query timestamp.seconds: is a part of what is written as one value; write timestamp=value"},
		{"GET /v1/every", "int64Wrapper.value=6", "query int64Wrapper.value: is a part of what is written as one value; write int64Wrapper=value"},
		{"GET /v1/every", "any.typeUrl=x", "query any.typeUrl: is a part of what is written as one value"},
		{"GET /v1/every", strings.Repeat("x", 100) + "=1", "query " + strings.Repeat("x", 64) + "…: unknown parameter"},
		{"GET /v1/every/int32/{int32_field}", "int32Field=1", "query int32Field: is given by the path"},
		{
			"GET /v1/every/nested/{every.every.string_field}", "every.every.stringField=1",
			"query every.every.stringField: is given by the path",
		},
		{"POST /v1/every", "int32Field=1", "query int32Field: unknown parameter"},
		{"POST /v1/every:field", "every.int32Field=1", "query every.int32Field: belongs in the body"},
		{"PATCH /v1/every/{every.string_field}", "every.int32Field=1", "query every.int32Field: belongs in the body"},
		{"PATCH /v1/every/{every.string_field}", "validateOnyl=1", `query validateOnyl: unknown parameter; did you mean "validateOnly"?`},
	} {
		var m proto.Message = &everyv1.Every{}
		if strings.HasPrefix(row.route, "PATCH") {
			m = &everyv1.UpdateRequest{}
		}

		if got := queryFaults(t, bind(t, row.route, binding.Config{}), row.query, m.ProtoReflect()); got != row.want {
			t.Errorf("%s ?%s\n got %s\nwant %s", row.route, row.query, got, row.want)
		}
	}
}

func TestQueryIgnores(t *testing.T) {
	t.Parallel()

	ignored := binding.Config{IgnoredParameters: []string{"utm_*", "_"}}

	for _, row := range []struct {
		route, query, want string
		config             binding.Config
	}{
		{"GET /v1/every", "utm_source=x&_=1&int32Field=7", "", ignored},
		{"GET /v1/every", "utm=x", "query utm: unknown parameter", ignored},
		{"GET /v1/every", "__=x", "query __: unknown parameter", ignored},
		{"POST /v1/every", "utm_source=x", "", ignored},
		{"GET /v1/every", "x=1&int32Field=7", "", binding.Config{AllowUnknown: true}},
		{"GET /v1/every", "x=1&int32Field=y", `query int32Field: "y" is not a number`, binding.Config{AllowUnknown: true}},
	} {
		if got := queryFaults(t, bind(t, row.route, row.config), row.query, (&everyv1.Every{}).ProtoReflect()); got != row.want {
			t.Errorf("%s ?%s\n got %s\nwant %s", row.route, row.query, got, row.want)
		}
	}
}

func TestBody(t *testing.T) {
	t.Parallel()

	type every = everyv1.Every

	for _, row := range []struct {
		route, body string
		path        proto.Message
		want        proto.Message
		fault       string
	}{
		{"POST /v1/every", `{"int32Field":1}`, &every{}, &every{Int32Field: 1}, ""},
		{"POST /v1/every", ``, &every{}, &every{}, ""},
		{"POST /v1/every/{string_field}", `{"int32Field":1}`, &every{StringField: "a"}, &every{StringField: "a", Int32Field: 1}, ""},
		{"POST /v1/every/{string_field}", `{"stringField":"a"}`, &every{StringField: "a"}, &every{StringField: "a"}, ""},
		{"POST /v1/every/{string_field}", `{"stringField":"b"}`, &every{StringField: "a"}, nil, "body stringField: differs from the path"},
		{"POST /v1/every:field", `{"int32Field":1}`, &every{}, &every{Every: &every{Int32Field: 1}}, ""},
		{"POST /v1/every:field", `{"x":1}`, &every{}, nil, "body x: unknown field"},
		{"POST /v1/every:field", `{"int32Field":"x"}`, &every{}, nil, `body int32Field: "x" is not a number`},
		{"POST /v1/every:field", `{`, &every{}, nil, "body : not one JSON document: the document ends too early"},
		{"PUT /v1/every:strings", `["a"]`, &every{}, &every{Strings: []string{"a"}}, ""},
		{"PUT /v1/every:strings", `["a",1]`, &every{}, nil, "body [1]: is a number, not a string"},
		{"PUT /v1/every:int64", `"5"`, &every{}, &every{Int64Field: 5}, ""},
		{"PUT /v1/every:color", `"COLOR_RED"`, &every{}, &every{Color: 1}, ""},
		{"PUT /v1/every:value", `null`, &every{}, &every{Value: structpb.NewNullValue()}, ""},
		{"PUT /v1/every:map", `{"a":{"int32Field":1}}`, &every{}, &every{EveryByString: map[string]*every{"a": {Int32Field: 1}}}, ""},
		{"GET /v1/every", `[]`, &every{}, nil, "body : the route takes no body"},
		{"GET /v1/every", `{"a":1}`, &every{}, nil, "body : the route takes no body"},
		{"GET /v1/every", " { }\n", &every{}, &every{}, ""},
		{"GET /v1/every", `null`, &every{}, &every{}, ""},
		{
			"PATCH /v1/every/{every.string_field}", `{"int32Field":1,"every":{"boolField":null},"strings":[]}`,
			&everyv1.UpdateRequest{Every: &every{StringField: "a"}},
			&everyv1.UpdateRequest{
				Every:      &every{StringField: "a", Int32Field: 1, Every: &every{}},
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"int32_field", "every.bool_field", "strings"}},
			}, "",
		},
		{
			"PATCH /v1/every/{every.string_field}", `{}`,
			&everyv1.UpdateRequest{Every: &every{StringField: "a"}},
			&everyv1.UpdateRequest{Every: &every{StringField: "a"}, UpdateMask: &fieldmaskpb.FieldMask{}}, "",
		},
		{
			"PATCH /v1/every/{every.string_field}", `{"stringField":"b"}`, &everyv1.UpdateRequest{Every: &every{StringField: "a"}},
			nil, "body stringField: differs from the path",
		},
	} {
		m := proto.Clone(row.path)

		got := faults(t, bind(t, row.route, binding.Config{}).Body([]byte(row.body), m.ProtoReflect(), protojson.Limits{}))
		if got != row.fault {
			t.Errorf("%s %s\n got %s\nwant %s", row.route, row.body, got, row.fault)
		}

		if diff := cmp.Diff(row.want, m, protocmp.Transform()); row.fault == "" && diff != "" {
			t.Errorf("%s %s: %s", row.route, row.body, diff)
		}
	}
}

func TestPath(t *testing.T) {
	t.Parallel()

	for _, row := range []struct{ route, variable, value, want string }{
		{"GET /v1/every/int32/{int32_field}", "int32_field", "5", ""},
		{"GET /v1/every/int32/{int32_field}", "int32_field", "x", `path int32_field: "x" is not a number`},
		{"GET /v1/every/uint64/{uint64_field}", "uint64_field", "-1", "path uint64_field: -1 is out of range"},
		{"GET /v1/every/bool/{bool_field}", "bool_field", "maybe", `path bool_field: "maybe" is not a boolean`},
		{"GET /v1/every/color/{color}", "color", "COLOR_REDD", `path color: "COLOR_REDD" is not a value of the enum; did you mean "COLOR_RED"?`},
		{"GET /v1/every/timestamp/{timestamp}", "timestamp", "now", `path timestamp: "now" is not a time as in RFC 3339`},
		{"GET /v1/every/timestamp/{timestamp}", "timestamp", "2020-01-01T00:00:00Z", ""},
		{"GET /v1/every/wrapper/{int64_wrapper}", "int64_wrapper", "1e99", "path int64_wrapper: 1e99 is out of range"},
		{"GET /v1/deep/{string_field=**}", "string_field", "a/b", ""},
	} {
		values := pathtemplate.Values{{Name: row.variable, Text: row.value}}
		err := bind(t, row.route, binding.Config{}).SetPath(values, (&everyv1.Every{}).ProtoReflect())

		if got := faults(t, err); got != row.want {
			t.Errorf("%s %s: got %s, want %s", row.route, row.value, got, row.want)
		}
	}
}

// FuzzQuery looks for query strings that end otherwise than with a message or a short fault.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"int32Field=1", "every.every.color=x", "byString[a]=1&by_string[a]=2", "value=[[1]]", "a;b", "%", "fieldMask=a,b"} {
		f.Add(seed)
	}

	b := bind(f, "GET /v1/every", binding.Config{})

	f.Fuzz(func(t *testing.T, query string) {
		m := &everyv1.Every{}

		_, err := b.Query(query, m.ProtoReflect())
		if err == nil {
			if _, err := proto.Marshal(m); err != nil {
				t.Errorf("%q makes a message that cannot be sent: %v", query, err)
			}

			return
		}

		found := binding.Faults{}
		if !errors.As(err, &found) {
			t.Fatal(err)
		}

		for _, fault := range found.List {
			if len(fault.Name)+len(fault.Reason) > 1024 {
				t.Errorf("%q: a fault of %d bytes", query, len(fault.Name)+len(fault.Reason))
			}
		}
	})
}

// field finds a field of every.v1.Every.
func field(tb testing.TB, path string) schema.FieldPath {
	tb.Helper()

	found, err := schema.ResolveField(everyv1.File_every_v1_every_proto.Messages().ByName("Every"), path)
	if err != nil {
		tb.Fatal(err)
	}

	return found
}
