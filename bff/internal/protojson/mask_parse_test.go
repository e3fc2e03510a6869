package protojson_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

func selector(m proto.Message) *protojson.Selector {
	return shared.Selector(m.ProtoReflect().Descriptor(), nil)
}

func TestMaskNormalForm(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"orders.total,orders.orderId,user":        "user,orders(orderId,total)",
		"orders(total,order_id),user":             "user,orders(orderId,total)",
		"user.displayName,user":                   "user",
		"user,user.displayName":                   "user",
		"*":                                       "*",
		"*,user":                                  "*",
		"orders.labels.`my key`":                  "orders(labels(my key))",
		"orders.labels(`a.b`,a,`*`)":              "orders(labels(`*`,a,`a.b`))",
		"orders.labels.*":                         "orders(labels)",
		"orders.*.items.*.sku":                    "orders(items(sku))",
		"orders(items(sku,quantity)),orders.note": "orders(items(sku,quantity),note)",
	} {
		mask, err := selector(&dashboardv1.Dashboard{}).Parse([]string{text})
		if err != nil || mask.String() != want {
			t.Errorf("%s: got %v, %v; want %s", text, mask, err, want)
		}
	}

	mask, err := selector(&dashboardv1.Dashboard{}).Parse([]string{"user.displayName", "orders(total)", "user.email"})
	if err != nil || mask.String() != "user(email,displayName),orders(total)" {
		t.Errorf("several: got %v, %v", mask, err)
	}
}

func TestMaskFaults(t *testing.T) {
	t.Parallel()

	every := selector(&everyv1.Every{})

	for text, want := range map[string]string{
		"":                                     "is empty; write fields=a,b.c, or fields=* for all",
		"strngField":                           `"strngField" is not a field of the response; did you mean "stringField"?`,
		"every.evry.stringField":               `"every.evry" is not a field of the response; did you mean "every.every"?`,
		"every(stringField,strinField)":        `"every.strinField" is not a field of the response; did you mean "every.stringField"?`,
		"zzz":                                  `"zzz" is not a field of the response`,
		"every/stringField":                    `"every/stringField" is not a field of the response; names are separated by "."`,
		"+stringField":                         `"+stringField" is not a field of the response; did you mean "stringField"?`,
		"stringField.x":                        `"stringField.x" is not a field of the response; "stringField" has no fields`,
		"strings.*.x":                          `"strings.*" is not a field of the response; "strings" has no fields`,
		"timestamp.seconds":                    `"timestamp.seconds" is not a field of the response; "timestamp" is written as one value`,
		"struct(a)":                            `"struct.a" is not a field of the response; "struct" is written as one value`,
		"*.stringField":                        `"*" is followed by a name, but the response is neither a list nor a map; leave out the "*"`,
		"every.*(stringField)":                 `"every.*" is followed by a name, but "every" is neither a list nor a map; leave out the "*"`,
		"everies.*.*.stringField":              `"everies.*.*" is followed by a name, but "everies.*" is neither a list nor a map; leave out the "*"`,
		"`*`":                                  "\"`*`\" is not a field of the response",
		"every.`a.b`":                          "\"every.`a.b`\" is not a field of the response",
		"`strngField`":                         "\"`strngField`\" is not a field of the response; did you mean \"stringField\"?",
		"``":                                   "\"``\" is not a field of the response",
		"strings, stringField":                 `" stringField" is not a field of the response; did you mean "stringField"?`,
		"byInt32.`*`":                          "\"byInt32.`*`\": \"*\" is not a key of type int32",
		"byInt32.x":                            `"byInt32.x": "x" is not a key of type int32`,
		"everyByString(a,*.strings)":           `"everyByString.*": entries of a map are chosen by their keys or by "*", not by both`,
		"everyByString(*.strings,a)":           `"everyByString.a": entries of a map are chosen by their keys or by "*", not by both`,
		"a,":                                   `"a" is not a field of the response`,
		"stringField,":                         `ends after ",", where a name is expected`,
		"every.":                               `ends after ".", where a name is expected`,
		"every(":                               `ends after "(", where a name is expected`,
		",stringField":                         `has "," at character 1, where a name is expected`,
		"every()":                              `has ")" at character 7, where a name is expected`,
		"every.(stringField)":                  `has "(" at character 7, where a name is expected`,
		"every..stringField":                   `has "." at character 7, where a name is expected`,
		"every(stringField":                    `has "(" at character 6 without a ")"`,
		"every(every(stringField)":             `has "(" at character 6 without a ")"`,
		"every(stringField))":                  `has ")" at character 19, where "," is expected`,
		"every(stringField)strings":            `has "s" at character 19, where "," is expected`,
		"every(every(boolField)é)":             `has "é" at character 23, where "," or ")" is expected`,
		"stringField,`every":                   "has a backquote at character 13 without a second one",
		"`every`x":                             `has "x" at character 8, where "," is expected`,
		"every`x`":                             "has \"`\" at character 6, where \",\" is expected",
		"\xff":                                 "is not valid UTF-8",
		strings.Repeat("every.", 32) + "every": `"` + strings.Repeat("every.", 11)[:64] + `…" is nested more than 32 levels deep`,
		strings.Repeat("every(", 99):           `"` + strings.Repeat("every.", 11)[:64] + `…" is nested more than 32 levels deep`,
		strings.Repeat("strings,", 600):        "is longer than 4096 bytes",
	} {
		_, err := every.Parse([]string{text})
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}

	if _, err := every.Parse([]string{strings.Repeat("strings,", 300) + "strings", strings.Repeat("strings,", 300) + "strings"}); err == nil {
		t.Error("several texts are together longer than the limit")
	}
}

// The paths are those that google.protobuf.FieldMask allows: a list or a map is the last of one.
func TestMaskPaths(t *testing.T) {
	t.Parallel()

	desc := (&dashboardv1.Dashboard{}).ProtoReflect().Descriptor()

	for _, row := range []struct{ body, fields, paths, names string }{
		{"", "*", "*", ""},
		{"", "user.displayName,user.email", "user.email,user.display_name", "user"},
		{"", "orders(orderId,total),user", "user,orders", "user,orders"},
		{"", "orders.*.total.units", "orders", "orders"},
		{"", "profile.*", "profile", "profile"},
		{"user", "displayName", "user.display_name", "user"},
		{"user", "*", "user", "user"},
		{"orders", "orderId", "orders", "orders"},
	} {
		mask, err := shared.Selector(desc, desc.Fields().ByName(protoreflect.Name(row.body))).Parse([]string{row.fields})
		if err != nil {
			t.Fatal(err)
		}

		names := make([]string, 0, len(mask.Fields()))
		for _, field := range mask.Fields() {
			names = append(names, string(field.Name()))
		}

		if got := strings.Join(mask.Paths(), ","); got != row.paths || strings.Join(names, ",") != row.names {
			t.Errorf("%s %s: got %s, %s", row.body, row.fields, got, names)
		}
	}
}

// An extension has no path.
func TestMaskPathsOfExtensions(t *testing.T) {
	t.Parallel()

	mask, err := selector(&everyv1.Editions{}).Parse([]string{"`[every.v1.note]`"})
	if err != nil || strings.Join(mask.Paths(), ",") != "*" {
		t.Errorf("got %v, %v", mask, err)
	}

	if _, err := selector(&everyv1.Editions{}).Parse([]string{"`[every.v1.not]`"}); err == nil ||
		!strings.HasSuffix(err.Error(), "did you mean \"`[every.v1.note]`\"?") {
		t.Errorf("got %v", err)
	}
}

// A part of a document is one, too.
func TestMaskOfABody(t *testing.T) {
	t.Parallel()

	m := &everyv1.Every{
		Everies:       []*everyv1.Every{{StringField: "1", BoolField: true}, {BoolField: true}},
		EveryByString: map[string]*everyv1.Every{"a": {StringField: "1", BoolField: true}, "b": {BoolField: true}},
		Int64ByString: map[string]int64{"a": 1, "b": 2},
	}
	desc := m.ProtoReflect().Descriptor()

	for _, row := range []struct {
		body, fields string
		value        any
		want         string
	}{
		{"everies", "stringField", m.GetEveries(), `[{"stringField":"1"},{}]`},
		{"everies", "*", m.GetEveries()[1:], `[{"boolField":true}]`},
		{"every_by_string", "a", m.GetEveryByString(), `{"a":{"boolField":true,"stringField":"1"}}`},
		{"every_by_string", "*.stringField", m.GetEveryByString(), `{"a":{"stringField":"1"},"b":{}}`},
		{"int64_by_string", "b,c", m.GetInt64ByString(), `{"b":"2"}`},
		{"every", "stringField", m.GetEveries()[0], `{"stringField":"1"}`},
		{"every", "stringField", (*everyv1.Every)(nil), `null`},
	} {
		mask, err := shared.Selector(desc, desc.Fields().ByName(protoreflect.Name(row.body))).Parse([]string{row.fields})
		if err != nil {
			t.Fatal(err)
		}

		// As in a stream.
		got, err := shared.Marshal(map[string]any{"result": &protojson.Masked{Value: row.value, Mask: mask}})
		if err != nil || !sameJSON(t, string(got), row.want) {
			t.Errorf("%s %s: got %s, %v; want %s", row.body, row.fields, got, err, row.want)
		}
	}
}

func FuzzParseMask(f *testing.F) {
	for _, text := range []string{
		"user.displayName,orders(orderId,total)", "*", "orders.labels.`a b`", "orders(*.items(sku))", "a..b", "orders(", "`", "",
	} {
		f.Add(text)
	}

	parser := selector(&dashboardv1.Dashboard{})

	f.Fuzz(func(t *testing.T, text string) {
		mask, err := parser.Parse([]string{text})
		if err != nil {
			return
		}

		mask.Paths()
		mask.Fields()

		if again, err := parser.Parse([]string{mask.String()}); err != nil || again.String() != mask.String() {
			t.Errorf("%q: %q reads as %v, %v", text, mask, again, err)
		}
	})
}

// BenchmarkMasked is what a list of 100 orders costs as a whole and of one field of each.
func BenchmarkMasked(b *testing.B) {
	list := undecoded((&orderv1.ListOrdersResponse{}).ProtoReflect().Type(), marshal(b, listOfOrders(100)))

	for _, fields := range []string{"*", "orders.orderId", "orders(orderId,status,total)"} {
		b.Run(fields, func(b *testing.B) {
			var buffer []byte

			b.ReportAllocs()

			for b.Loop() {
				mask, err := selector(&orderv1.ListOrdersResponse{}).Parse([]string{fields})
				if err != nil {
					b.Fatal(err)
				}

				if _, err := shared.Marshal(&protojson.Into{Message: list, Buffer: &buffer, Mask: mask}); err != nil {
					b.Fatal(err)
				}
			}

			b.SetBytes(int64(len(buffer)))
		})
	}
}
