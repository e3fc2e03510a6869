package jsonpb_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	everyv1 "github.com/portico-gateway/portico/bff/internal/foreign/gen/every/v1"
	"github.com/portico-gateway/portico/bff/internal/jsonpb"
)

var update = flag.Bool("update", false, "write the golden files anew")

// decodes reads a document as the gateway does.
func decodes(body string, m proto.Message) (proto.Message, error) {
	m = m.ProtoReflect().New().Interface()

	return m, jsonpb.New(jsonpb.Config{}).Decode([]byte(body), m.ProtoReflect(), jsonpb.Options{})
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

	text, err := jsonpb.New(jsonpb.Config{}).Marshal(m)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}

	again, err := decodes(string(text), &everyv1.Every{})
	if err != nil || !proto.Equal(m, again) {
		t.Errorf("%s is written as %s, which reads as %v, %v", body, text, again, err)
	}

	return compact(t, text)
}

// compact takes out the spaces that protojson strews in.
func compact(t *testing.T, text []byte) string {
	t.Helper()

	var out strings.Builder

	quoted := false

	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			out.WriteByte(c)

			i++
			out.WriteByte(text[i])
		case c == ' ' && !quoted:
		case c == '"':
			quoted = !quoted

			out.WriteByte(c)
		default:
			out.WriteByte(c)
		}
	}

	return out.String()
}

// differs tells where the codec and protojson disagree. What it takes beyond JSON is meant to be refused: invalid UTF-8, numbers such
// as "1e", and what is nested too deep.
func differs(t *testing.T, body string, kind proto.Message) {
	t.Helper()

	got, fault := decodes(body, kind)
	want := kind.ProtoReflect().New().Interface()
	reference := protojson.UnmarshalOptions{AllowPartial: true}.Unmarshal([]byte(body), want)

	switch sound := json.Valid([]byte(body)) && utf8.ValidString(body) && nesting(body) <= jsonpb.DefaultMaxDepth; {
	case fault == nil && (reference != nil || !sound):
		t.Errorf("%q is taken, but protojson says %v", body, reference)
	case fault != nil && reference == nil && sound && !strings.Contains(fault.Error(), "memory"):
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

// FuzzDecode looks for documents that the codec and protojson read differently.
func FuzzDecode(f *testing.F) {
	for _, body := range append(everyBody(f), editions...) {
		f.Add([]byte(body))
	}

	f.Fuzz(func(t *testing.T, body []byte) {
		for _, kind := range []protoreflect.ProtoMessage{&everyv1.Every{}, &everyv1.Editions{}} {
			differs(t, string(body), kind)
		}
	})
}
