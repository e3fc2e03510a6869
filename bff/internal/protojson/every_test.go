package protojson_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	googlejson "google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// shared reads all documents, so that what is left of one would show in the next.
var shared = protojson.New(config.JSON{}.WithDefaults())

// decodes reads a document as the gateway does. The message must have nothing of the document's memory.
func decodes(body string, m proto.Message) (proto.Message, error) {
	m = m.ProtoReflect().New().Interface()
	data := []byte(body)
	err := shared.Decode(data, m.ProtoReflect(), protojson.Options{})

	for i := range data {
		data[i] = '#'
	}

	return m, err
}

// Each document in the golden file stands on a line of its own, and under it what comes of it: the message in JSON, or the fault.
func TestEvery(t *testing.T) {
	t.Parallel()

	const file = "testdata/every.txt"

	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	var out strings.Builder

	lines := strings.Split(strings.TrimSuffix(string(golden), "\n"), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		body, want := lines[i], strings.TrimPrefix(lines[i+1], "\t")

		got := outcome(t, body)
		if got != want && !*update {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}

		out.WriteString(body + "\n\t" + got + "\n")
	}

	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func outcome(t *testing.T, body string) string {
	t.Helper()

	m, err := decodes(body, &everyv1.Every{})
	if err != nil {
		const most = 1024
		if len(err.Error()) > most {
			t.Errorf("%s: an error of %d bytes", body, len(err.Error()))
		}

		return "fault: " + err.Error()
	}

	text, err := protojson.New(config.JSON{}.WithDefaults()).Marshal(m)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}

	again, err := decodes(string(text), &everyv1.Every{})
	if err != nil || !proto.Equal(m, again) {
		t.Errorf("%s is written as %s, which reads as %v, %v", body, text, again, err)
	}

	return string(text)
}

// stricter tells why the codec refuses what protojson takes. These are all the reasons there are:
//   - protojson takes a few things that are no JSON, such as the number "1e";
//   - it takes some texts that are not valid UTF-8, names of unknown members for instance;
//   - it allows ten thousand levels of nesting;
//   - it uses any amount of memory.
func stricter(body string, fault error) bool {
	return !json.Valid([]byte(body)) || !utf8.ValidString(body) || nesting(body) > config.JSON{}.WithDefaults().MaxDepth ||
		strings.Contains(fault.Error(), "too much memory")
}

// differs tells where the codec and protojson disagree.
func differs(t *testing.T, body string, kind proto.Message) {
	t.Helper()

	got, fault := decodes(body, kind)
	want := kind.ProtoReflect().New().Interface()
	reference := googlejson.UnmarshalOptions{AllowPartial: true}.Unmarshal([]byte(body), want)

	switch {
	case fault == nil && reference != nil && strings.Contains(reference.Error(), "FieldMask.paths contains invalid path"):
		// "*", and what camelCase cannot hold: what protojson does not read.
	case fault == nil && (reference != nil || !json.Valid([]byte(body)) || !utf8.ValidString(body)):
		t.Errorf("%q is taken, but protojson says %v", body, reference)
	case fault != nil && reference == nil && !stricter(body, fault):
		t.Errorf("%q is refused with %v, but protojson takes it", body, fault)
	case fault == nil && !proto.Equal(got, want):
		t.Errorf("%q reads as %v, but with protojson as %v", body, got, want)
	}
}

func nesting(body string) int {
	deepest, depth, quoted := 0, 0, false

	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}

	return deepest
}

func everyBody(tb testing.TB) []string {
	tb.Helper()

	golden, err := os.ReadFile("testdata/every.txt")
	if err != nil {
		tb.Fatal(err)
	}

	var bodies []string

	for i, line := range strings.Split(strings.TrimSuffix(string(golden), "\n"), "\n") {
		if i%2 == 0 {
			bodies = append(bodies, line)
		}
	}

	return bodies
}

func TestEveryAsProtojson(t *testing.T) {
	t.Parallel()

	for _, body := range everyBody(t) {
		differs(t, body, &everyv1.Every{})
	}
}

var editions = []string{
	`{}`, `{"explicit":""}`, `{"explicit":null}`, `{"implicit":""}`, `{"required":"a"}`, `{"closed":"CLOSED_ONE"}`, `{"closed":2}`,
	`{"closed":3}`, `{"closed":0}`, `{"delimited":{"number":1}}`, `{"Delimited":{"number":1}}`, `{"expanded":[1,2]}`, `{"raw":"AQ=="}`,
	`{"[every.v1.note]":"a"}`, `{"[every.v1.note]":"a","[every.v1.note]":"b"}`, `{"[every.v1.more]":{"number":4}}`,
	`{"[every.v1.counts]":["1",2]}`, `{"[every.v1.none]":1}`, `{"[every.v1.note":1}`, `{"every.v1.note]":1}`, `{"[]":1}`, `{"[":1}`,
	`{"[every.v1.more]":{"number":"x"}}`, `{"[every.v1.note]":null}`,
}

func TestEditionsAsProtojson(t *testing.T) {
	t.Parallel()

	for _, body := range editions {
		differs(t, body, &everyv1.Editions{})
	}
}

// Types that are only known at run time have no structs.
func TestDynamicAsProtojson(t *testing.T) {
	t.Parallel()

	for _, body := range everyBody(t) {
		differs(t, body, dynamicpb.NewMessage((&everyv1.Every{}).ProtoReflect().Descriptor()))
	}

	for _, body := range editions {
		differs(t, body, dynamicpb.NewMessage((&everyv1.Editions{}).ProtoReflect().Descriptor()))
	}
}

// Lengths that take another byte on the wire, at each level.
func TestLengthsAsProtojson(t *testing.T) {
	t.Parallel()

	for _, length := range []int{0, 1, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 16_380, 16_381, 16_382, 16_383, 16_384, 1 << 21} {
		text := strings.Repeat("x", length)

		for _, body := range []string{
			`{"stringField":"` + text + `"}`,
			`{"every":{"every":{"every":{"stringField":"` + text + `"}}},"int32Field":1}`,
			`{"everies":[{"stringField":"` + text + `"},{"int32Field":1},{"strings":["a","` + text + `"]}]}`,
			`{"byString":{"a":"` + text + `","b":"c"},"everyByString":{"` + text + `":{"boolField":true}}}`,
			`{"int32s":[1` + strings.Repeat(",1", min(length, 1<<14)) + `],"value":["` + text + `",{"a":"` + text + `"}]}`,
			`{"any":{"@type":"x/every.v1.Every","stringField":"` + text + `"}}`,
		} {
			differs(t, body, &everyv1.Every{})
		}
	}
}

func TestManyKeysAsProtojson(t *testing.T) {
	t.Parallel()

	for _, count := range []int{1, 15, 16, 17, 18, 100} {
		var names, numbers strings.Builder
		for i := range count {
			fmt.Fprintf(&names, `"k%d":"v",`, i)
			fmt.Fprintf(&numbers, `"%d":"v",`, i)
		}

		for again := range count {
			differs(t, fmt.Sprintf(`{"byString":{%s"k%d":"w"}}`, names.String(), again), &everyv1.Every{})
			differs(t, fmt.Sprintf(`{"byInt32":{%s"+0%d":"w"}}`, numbers.String(), again), &everyv1.Every{})
		}

		differs(t, fmt.Sprintf(`{"byString":{%s"":"w"},"struct":{%s"a":{%s"k":null}}}`,
			names.String(), names.String(), names.String()), &everyv1.Every{})
	}
}

// FuzzDecode looks for documents that the codec and protojson read differently.
func FuzzDecode(f *testing.F) {
	for _, body := range append(everyBody(f), editions...) {
		f.Add([]byte(body))
	}

	f.Fuzz(func(t *testing.T, body []byte) {
		for _, kind := range []proto.Message{
			&everyv1.Every{}, &everyv1.Editions{}, dynamicpb.NewMessage((&everyv1.Every{}).ProtoReflect().Descriptor()),
		} {
			differs(t, string(body), kind)
		}
	})
}
