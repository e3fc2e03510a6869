package protojson_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

func TestMask(t *testing.T) {
	t.Parallel()

	for body, want := range map[string][]string{
		`{}`:                                       nil,
		`{"int32Field":1}`:                         {"int32_field"},
		`{"int32Field":0}`:                         {"int32_field"},
		`{"int32Field":null}`:                      {"int32_field"},
		`{"stringField":""}`:                       {"string_field"},
		`{"every":{"int32Field":1}}`:               {"every.int32_field"},
		`{"every":{}}`:                             {"every"},
		`{"every":null}`:                           {"every"},
		`{"every":{"every":{}}}`:                   {"every.every"},
		`{"every":{"every":null}}`:                 {"every.every"},
		`{"strings":[]}`:                           {"strings"},
		`{"everies":[{"int32Field":1}]}`:           {"everies"},
		`{"byString":{"a":"b"}}`:                   {"by_string"},
		`{"everyByString":{"a":{"int32Field":1}}}`: {"every_by_string"},
		`{"timestamp":"2020-01-01T00:00:00Z"}`:     {"timestamp"},
		`{"struct":{"a":1}}`:                       {"struct"},
		`{"value":null}`:                           {"value"},
		`{"choiceEvery":{"int32Field":1}}`:         {"choice_every.int32_field"},
		`{"empty":{}}`:                             {"empty"},
		`{"stringWrapper":"a"}`:                    {"string_wrapper"},
		`{"any":{"@type":"x/every.v1.Every"}}`:     {"any"},
		`{"@odd name":"a"}`:                        {"renamed"},
		`{"every":{"int32Field":1,"int64Field":"2"},"boolField":true}`: {"every.int32_field", "every.int64_field", "bool_field"},
	} {
		var mask []string

		m := &everyv1.Every{}
		if err := protojson.New(config.JSON{}.WithDefaults()).Decode([]byte(body), m.ProtoReflect(), protojson.Options{Mask: &mask}); err != nil {
			t.Fatal(err)
		}

		if !slices.Equal(mask, want) {
			t.Errorf("%s: got %q, want %q", body, mask, want)
		}

		// The same as the body of a field.
		mask = nil
		in := &everyv1.Every{}

		field := in.ProtoReflect().Descriptor().Fields().ByName("every")
		if err := protojson.New(config.JSON{}.WithDefaults()).DecodeField([]byte(body), in.ProtoReflect(), field, protojson.Options{Mask: &mask}); err != nil {
			t.Fatal(err)
		}

		if !slices.Equal(mask, want) || !proto.Equal(in.GetEvery(), m) {
			t.Errorf("%s as a field: got %q, want %q", body, mask, want)
		}
	}
}

func TestDecodeField(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		field, body string
		want        *everyv1.Every
		fault       string
	}{
		{"strings", `["a","b"]`, &everyv1.Every{Strings: []string{"a", "b"}}, ""},
		{"by_string", `{"a":"b"}`, &everyv1.Every{ByString: map[string]string{"a": "b"}}, ""},
		{"int64_field", `"5"`, &everyv1.Every{Int64Field: 5}, ""},
		{"color", `"COLOR_RED"`, &everyv1.Every{Color: everyv1.Color_COLOR_RED}, ""},
		{"every", `null`, &everyv1.Every{}, ""},
		{"strings", `null`, &everyv1.Every{}, ""},
		{"strings", `["a",1]`, nil, "[1]: is a number, not a string"},
		{"int64_field", `{}`, nil, "is an object, not a number"},
		{"every", `{"every":{"x":1}}`, nil, "every.x: unknown field"},
		{"every", `{}{}`, nil, "not one JSON document: unexpected data after the document at byte 3"},
	} {
		m := &everyv1.Every{}
		field := m.ProtoReflect().Descriptor().Fields().ByTextName(row.field)
		err := protojson.New(config.JSON{}.WithDefaults()).DecodeField([]byte(row.body), m.ProtoReflect(), field, protojson.Options{})

		if row.fault != "" {
			if err == nil || err.Error() != row.fault {
				t.Errorf("%s of %s: got %v, want %s", row.field, row.body, err, row.fault)
			}

			continue
		}

		if err != nil || !proto.Equal(m, row.want) {
			t.Errorf("%s of %s: got %v, %v", row.field, row.body, m, err)
		}
	}
}

func TestDiscardUnknown(t *testing.T) {
	t.Parallel()

	m := &everyv1.Every{}
	body := `{"x":{"y":[1,{"z":null}]},"int32Field":1,"color":"X","colors":["COLOR_RED","X"],"every":{"x":1},"colorByString":{"a":"X","a":"COLOR_RED"},"any":{"a":1},"[x.y]":2}`

	if err := protojson.New(config.JSON{}.WithDefaults()).Decode([]byte(body), m.ProtoReflect(), protojson.Options{DiscardUnknown: true}); err == nil {
		t.Error("an Any without a type is taken")
	}

	m.Reset()

	body = strings.Replace(body, `"any":{"a":1},`, "", 1)
	if err := protojson.New(config.JSON{}.WithDefaults()).Decode([]byte(body), m.ProtoReflect(), protojson.Options{DiscardUnknown: true}); err != nil {
		t.Fatal(err)
	}

	want := &everyv1.Every{
		Int32Field: 1, Colors: []everyv1.Color{everyv1.Color_COLOR_RED}, Every: &everyv1.Every{},
		ColorByString: map[string]everyv1.Color{"a": everyv1.Color_COLOR_RED},
	}
	if !proto.Equal(m, want) {
		t.Errorf("got %v", m)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()

	m := &everyv1.Every{OptionalString: new(""), Int64Field: 7}

	text, err := protojson.New(config.JSON{Names: config.NamesProto, EmitDefaults: true}.WithDefaults()).Marshal(m)
	if err != nil {
		t.Fatal(err)
	}

	got := string(text)
	for _, want := range []string{`"int64_field":"7"`, `"optional_string":""`, `"bool_field":false`, `"strings":[]`, `"by_string":{}`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s does not have %s", got, want)
		}
	}

	// Hazard 14: they would read back as set.
	for _, none := range []string{`"value":`, `"every":`, `"optional_int32":`, `"timestamp":`, `"choice_value"`} {
		if strings.Contains(got, none) {
			t.Errorf("%s has %s", got, none)
		}
	}

	again, err := decodes(string(text), &everyv1.Every{})
	if err != nil || !proto.Equal(m, again) {
		t.Errorf("reads back as %v, %v", again, err)
	}

	deep := strings.Repeat(`{"every":`, 3) + "{}" + strings.Repeat("}", 3)
	if err := protojson.New(config.JSON{MaxDepth: 3}.WithDefaults()).Unmarshal([]byte(deep), m); err == nil {
		t.Error("four levels are taken, three are allowed")
	}
}

// Whatever is in a body, what it makes of the memory is in proportion to its size.
func TestHazard13MemoryIsInProportion(t *testing.T) {
	const size = 1 << 18

	for name, body := range map[string]string{
		"arrays":           `{"value":[` + strings.Repeat("[],", size/3) + `[]]}`,
		"objects":          `{"value":[` + strings.Repeat("{},", size/3) + `{}]}`,
		"messages":         `{"everies":[` + strings.Repeat("{},", size/3) + `{}]}`,
		"numbers":          `{"int32s":[` + strings.Repeat("1,", size/2) + `1]}`,
		"nulls":            `{"values":[` + strings.Repeat("null,", size/5) + `null]}`,
		"deep":             `{"value":` + strings.Repeat("[", size/2) + strings.Repeat("]", size/2) + `}`,
		"members":          `{"struct":{` + strings.Repeat(`"a":1,`, size/6) + `"a":1}}`,
		"nested_pairs":     `{"value":[` + strings.Repeat("[[[[[[[[]]]]]]]],", size/17) + `[]]}`,
		"empty_strings":    `{"strings":[` + strings.Repeat(`"",`, size/3) + `""]}`,
		"escapes":          `{"strings":[` + strings.Repeat(`"\n",`, size/5) + `""]}`,
		"anys":             `{"anys":[` + strings.Repeat(`{"@type":"x/every.v1.Every"},`, size/29) + `{}]}`,
		"nested_anys":      strings.Repeat(`{"any":{"@type":"x/every.v1.Every","everies":[{}],"any":`, 20) + "{}" + strings.Repeat("}}", 20),
		"unknown":          `{"everies":[` + strings.Repeat(`{"everies":[`, 30) + strings.Repeat("{},", size/3),
		"field_mask":       `{"fieldMask":"` + strings.Repeat("a,", size/2) + `a"}`,
		"map_of_messages":  `{"everyByString":{"":{},` + keys(size, `{}`) + `"a":{}}}`,
		"map_of_strings":   `{"byString":{` + keys(size, `""`) + `"a":""}}`,
		"struct_of_values": `{"struct":{` + keys(size, `null`) + `"a":null}}`,
	} {
		codec, m := protojson.New(config.JSON{}.WithDefaults()), &everyv1.Every{}
		data := []byte(body)
		// What is made once is not the body's.
		_ = codec.Decode([]byte(`{}`), m.ProtoReflect(), protojson.Options{})

		var before, after runtime.MemStats

		runtime.ReadMemStats(&before)

		err := codec.Decode(data, m.ProtoReflect(), protojson.Options{})

		runtime.ReadMemStats(&after)

		const most = 100
		if used := int(after.TotalAlloc - before.TotalAlloc); used > most*len(body)+1<<17 {
			t.Errorf("%s: %d times its size of %d bytes (%v)", name, used/len(body), len(body), err)
		}

		if fault := (*protojson.Error)(nil); err != nil && (!errors.As(err, &fault) || len(err.Error()) > 2048) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// keys are members with different names.
func keys(size int, value string) string {
	var out strings.Builder

	for i := 0; out.Len() < size; i++ {
		out.WriteString(`"` + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676%26)) + string(rune('a'+i/17576)) + `":` + value + ",")
	}

	return out.String()
}

// What stands in the place of something else is looked through no deeper than any other value.
func TestDeepInTheWrongPlace(t *testing.T) {
	t.Parallel()

	const deep = 8 << 20

	_, err := decodes(`{"stringField":`+strings.Repeat("[", deep), &everyv1.Every{})
	if err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("got %v", err)
	}
}
