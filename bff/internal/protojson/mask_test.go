package protojson_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// part is what a test asks for of a value.
type part struct {
	whole bool
	// fields are those of a message, or of each message of a list; keys those of a map; every is what is asked for of each entry.
	fields map[protoreflect.FieldDescriptor]*part
	keys   map[string]*part
	every  *part
}

// object reports whether a message is an object of its fields in JSON.
func object(desc protoreflect.MessageDescriptor) bool {
	return desc != nil && protojson.FormOf(desc.FullName()) == protojson.FormObject
}

// part chooses some of the fields of a message.
func (c *choices) part(desc protoreflect.MessageDescriptor, depth int) *part {
	all := fieldsOf(desc)
	if depth == 0 || len(all) == 0 || c.of(12) == 11 {
		return &part{whole: true}
	}

	p := &part{fields: map[protoreflect.FieldDescriptor]*part{}}

	for range 1 + c.of(4) {
		field := all[c.of(len(all))]

		switch {
		case field.IsMap():
			p.fields[field] = c.entries(field, depth)
		case object(field.Message()):
			p.fields[field] = c.part(field.Message(), depth-1)
		default:
			p.fields[field] = &part{whole: true}
		}
	}

	return p
}

// entries chooses some of the entries of a map.
func (c *choices) entries(field protoreflect.FieldDescriptor, depth int) *part {
	inner := func() *part {
		if value := field.MapValue().Message(); object(value) {
			return c.part(value, depth-1)
		}

		return &part{whole: true}
	}

	switch c.of(3) {
	case 0:
		return &part{whole: true}
	case 1:
		return &part{every: inner()}
	default:
		keys := map[protoreflect.Kind][]string{protoreflect.StringKind: {"a", "ab_c"}, protoreflect.BoolKind: {"true", "false"}}[field.MapKey().Kind()]
		if keys == nil {
			keys = []string{"0", "1"}
		}

		return &part{keys: map[string]*part{keys[0]: inner(), keys[1]: inner()}}
	}
}

// fields writes what is asked for, in either of the two ways.
func (c *choices) fields(of *part) string {
	var parts []string

	add := func(name string, inner *part) {
		switch {
		case inner.whole:
			parts = append(parts, name)
		case c.of(2) == 0:
			parts = append(parts, name+"("+c.fields(inner)+")")
		default:
			// A choice of 1 is a dot.
			dots := choices(bytes.Repeat([]byte{1}, 1<<10))
			for path := range strings.SplitSeq(dots.fields(inner), ",") {
				parts = append(parts, name+"."+path)
			}
		}
	}

	for field, inner := range of.fields {
		name := field.JSONName()
		if c.of(2) == 0 {
			name = field.TextName()
		}

		if field.IsExtension() {
			name = "`" + name + "`"
		}

		add(name, inner)
	}

	for name, inner := range of.keys {
		add(name, inner)
	}

	if of.every != nil {
		add("*", of.every)
	}

	if of.whole {
		return "*"
	}

	return strings.Join(parts, ",")
}

// project removes from a value in JSON what is not asked for.
func project(value any, of *part, name func(protoreflect.FieldDescriptor) string) any {
	if of.whole {
		return value
	}

	switch value := value.(type) {
	case []any:
		out := make([]any, 0, len(value))
		for _, element := range value {
			out = append(out, project(element, of, name))
		}

		return out
	case map[string]any:
		out := map[string]any{}

		for field, inner := range of.fields {
			if in, ok := value[name(field)]; ok {
				out[name(field)] = project(in, inner, name)
			}
		}

		for key, in := range value {
			inner := of.every
			if inner == nil {
				inner = of.keys[key]
			}

			if inner != nil {
				out[key] = project(in, inner, name)
			}
		}

		return out
	default:
		return value
	}
}

func parsed(tb testing.TB, text []byte) any {
	tb.Helper()

	var value any

	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()

	if err := d.Decode(&value); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}

	return value
}

// projects fails the test if an answer with some fields is not that with all of them without the others.
func projects(tb testing.TB, kind protoreflect.MessageType, wire []byte, of *part, text string) {
	tb.Helper()

	for i, codec := range writers {
		name := protoreflect.FieldDescriptor.JSONName
		if configs[i].Names == config.NamesProto {
			name = protoreflect.FieldDescriptor.TextName
		}

		mask, err := codec.Selector(kind.Descriptor(), nil).Parse([]string{text})
		if err != nil {
			tb.Fatalf("%s: %v", text, err)
		}

		again, err := codec.Selector(kind.Descriptor(), nil).Parse([]string{mask.String()})
		if err != nil || again.String() != mask.String() {
			tb.Fatalf("%s: %s is not in normal form: %v", text, mask, err)
		}

		whole, err := codec.Append(nil, undecoded(kind, wire), false)

		var buffer []byte

		got, fault := codec.Marshal(&protojson.Into{Message: undecoded(kind, wire), Buffer: &buffer, Mask: mask})
		if err != nil {
			continue
		}

		if fault != nil {
			tb.Fatalf("%s %x: %v", text, wire, fault)
		}

		if want := project(parsed(tb, whole), of, name); !reflect.DeepEqual(parsed(tb, got), want) {
			tb.Fatalf("%s\n got %s\nwant %v\n  of %s\n%x", text, got, want, whole, wire)
		}
	}
}

// What is written of some fields is what is written of all, without the others.
func TestMaskedAnswersAreProjections(t *testing.T) {
	t.Parallel()

	const rounds, size = 5_000, 160

	random := rand.New(rand.NewPCG(1, 2))

	for range rounds {
		chosen := make(choices, size)
		for i := range chosen {
			chosen[i] = byte(random.Uint32())
		}

		kind := kinds[chosen.of(len(kinds))]
		of := chosen.part(kind.Descriptor(), 3)
		text := chosen.fields(of)
		projects(t, kind, chosen.message(kind.Descriptor(), 3), of, text)
	}
}

func FuzzMasked(f *testing.F) {
	for kind := range kinds {
		f.Add(kind, bytes.Repeat([]byte{8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, 4))
	}

	f.Fuzz(func(t *testing.T, kind int, chosen []byte) {
		of := kinds[uint(kind)%uint(len(kinds))]
		asked := (*choices)(&chosen).part(of.Descriptor(), 3)
		text := (*choices)(&chosen).fields(asked)
		projects(t, of, (*choices)(&chosen).message(of.Descriptor(), 3), asked, text)
	})
}

// writeMasked returns what is written of a message.
func writeMasked(t *testing.T, m proto.Message, fields string) string {
	t.Helper()

	mask, err := shared.Selector(m.ProtoReflect().Descriptor(), nil).Parse([]string{fields})
	if err != nil {
		t.Fatal(err)
	}

	out, err := shared.Marshal(&protojson.Masked{Value: m, Mask: mask})
	if err != nil {
		t.Fatal(err)
	}

	return string(out)
}

func TestMasked(t *testing.T) {
	t.Parallel()

	m := &everyv1.Every{
		StringField: "a", Int64Field: 7, Strings: []string{"x"}, Every: &everyv1.Every{StringField: "in", BoolField: true},
		Everies: []*everyv1.Every{{StringField: "1", BoolField: true}, {}}, Choice: &everyv1.Every_ChoiceInt32{ChoiceInt32: 0},
		ByString: map[string]string{"b": "2", "a": "1", "my key": "3"},
		EveryByString: map[string]*everyv1.Every{
			"one": {StringField: "1", BoolField: true}, "two": {StringField: "2"},
		},
	}

	for fields, want := range map[string]string{
		"stringField":                     `{"stringField":"a"}`,
		"string_field":                    `{"stringField":"a"}`,
		"every.stringField":               `{"every":{"stringField":"in"}}`,
		"every(stringField),every":        `{"every":{"boolField":true,"stringField":"in"}}`,
		"every.*":                         `{"every":{"boolField":true,"stringField":"in"}}`,
		"everies.stringField":             `{"everies":[{"stringField":"1"},{}]}`,
		"everies.*.stringField":           `{"everies":[{"stringField":"1"},{}]}`,
		"everies(*(stringField))":         `{"everies":[{"stringField":"1"},{}]}`,
		"choiceInt32,choiceString":        `{"choiceInt32":0}`,
		"choiceString":                    `{}`,
		"byString.a":                      `{"byString":{"a":"1"}}`,
		"byString(a,`my key`,none)":       `{"byString":{"a":"1","my key":"3"}}`,
		"byString":                        `{"byString":{"a":"1","b":"2","my key":"3"}}`,
		"everyByString.*.stringField":     `{"everyByString":{"one":{"stringField":"1"},"two":{"stringField":"2"}}}`,
		"everyByString.one.boolField":     `{"everyByString":{"one":{"boolField":true}}}`,
		"everyByString(one(stringField))": `{"everyByString":{"one":{"stringField":"1"}}}`,
		"every.every.every.boolField":     `{"every":{}}`,
		"int64Field,strings":              `{"int64Field":"7","strings":["x"]}`,
	} {
		if got := writeMasked(t, m, fields); !sameJSON(t, got, want) {
			t.Errorf("%s: got %s, want %s", fields, got, want)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()

	return reflect.DeepEqual(parsed(t, []byte(a)), parsed(t, []byte(b)))
}

// A client that asks for a part must be able to know that it is missing.
func TestKeptFields(t *testing.T) {
	t.Parallel()

	codec := protojson.New(config.JSON{EmitDefaults: true}.WithDefaults())
	desc := (&dashboardv1.Dashboard{}).ProtoReflect().Descriptor()
	selector := codec.Selector(desc, nil, desc.Fields().ByName("partial_errors"))
	missing := []*porticov1.PartialError{{Part: "orders"}}

	for _, row := range []struct {
		fields string
		m      *dashboardv1.Dashboard
		want   string
	}{
		{"orders", &dashboardv1.Dashboard{}, `{"orders":[]}`},
		{"orders", &dashboardv1.Dashboard{PartialErrors: missing}, `{"orders":[],"partialErrors":[{"part":"orders","code":"OK","message":""}]}`},
		{"partialErrors.part", &dashboardv1.Dashboard{PartialErrors: missing}, `{"partialErrors":[{"part":"orders"}]}`},
		{"partialErrors", &dashboardv1.Dashboard{}, `{"partialErrors":[]}`},
	} {
		mask, err := selector.Parse([]string{row.fields})
		if err != nil {
			t.Fatal(err)
		}

		got, err := codec.Marshal(&protojson.Masked{Value: row.m, Mask: mask})
		if err != nil || !sameJSON(t, string(got), row.want) {
			t.Errorf("%s: got %s, %v; want %s", row.fields, got, err, row.want)
		}

		if mask.String() != row.fields && mask.String() != "partialErrors(part)" || len(mask.Fields()) != 1 || len(mask.Paths()) != 1 {
			t.Errorf("%s: %s, %v, %v", row.fields, mask, mask.Fields(), mask.Paths())
		}
	}
}
