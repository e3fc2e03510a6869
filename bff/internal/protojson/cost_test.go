package protojson_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// costly are documents that make much of few bytes: what they begin with, an element of many, and what they end with. The number of
// the element stands where %x does.
var costly = []struct{ begin, element, end string }{
	{`{"value":[`, `{}`, `]}`},
	{`{"value":[`, `[]`, `]}`},
	{`{"value":[`, `1`, `]}`},
	{`{"value":[`, `""`, `]}`},
	{`{"value":[`, `"abcdefghi"`, `]}`},
	{`{"value":[`, `null`, `]}`},
	{`{"value":[`, `{"":1}`, `]}`},
	{`{"value":[`, `[[[[[[[[]]]]]]]]`, `]}`},
	{`{"values":[`, `{}`, `]}`},
	{`{"values":[`, `1`, `]}`},
	{`{"struct":{`, `"%x":1`, `}}`},
	{`{"struct":{`, `"%x":{}`, `}}`},
	{`{"everies":[`, `{}`, `]}`},
	{`{"everies":[`, `{"every":{}}`, `]}`},
	{`{"everies":[`, `{"choiceNull":null}`, `]}`},
	{`{"everies":[`, `{"optionalInt64":1}`, `]}`},
	{`{"everies":[`, `{"byString":{"":""}}`, `]}`},
	{`{"int32s":[`, `1`, `]}`},
	{`{"doubles":[`, `1`, `]}`},
	{`{"bools":[`, `true`, `]}`},
	{`{"strings":[`, `""`, `]}`},
	{`{"strings":[`, `"\n"`, `]}`},
	{`{"byteStrings":[`, `"AA"`, `]}`},
	{`{"nullValues":[`, `null`, `]}`},
	{`{"timestamps":[`, `"0001-01-01T00:00:00Z"`, `]}`},
	{`{"durations":[`, `"0s"`, `]}`},
	{`{"stringWrappers":[`, `""`, `]}`},
	{`{"anys":[`, `{}`, `]}`},
	{`{"anys":[`, `{"@type":"/google.protobuf.Empty"}`, `]}`},
	{`{"anys":[`, `{"@type":"/every.v1.Every"}`, `]}`},
	{`{"anys":[`, `{"@type":"/google.protobuf.Any","value":{"@type":"/google.protobuf.Value","value":[{},{}]}}`, `]}`},
	{`{"any":{"@type":"/google.protobuf.Value","value":[`, `{"@type":1}`, `]}}`},
	{`{"byString":{`, `"%x":""`, `}}`},
	{`{"boolByString":{`, `"%x":true`, `}}`},
	{`{"everyByString":{`, `"%x":{}`, `}}`},
	{`{"valueByString":{`, `"%x":1`, `}}`},
	{`{"timeByString":{`, `"%x":"0001-01-01T00:00:00Z"`, `}}`},
	{`{"fieldMask":"`, `a`, `"}`},
	{`{"fieldMask":"`, `aAAAAAAAAAAAAAAAAA`, `"}`},
	{`{"stringField":"\n`, `aaaaaaaaaaaaaaaaaaaa`, `"}`},
	{`{"stringField":"`, `aaaaaaaaaaaaaaaaaaaa`, `"}`},
}

// allocated is how many bytes decoding a document takes, and how many of them the decoder has counted.
func allocated(codec *protojson.Codec, document []byte) (took, counted int64, err error) {
	const plenty = 1 << 40

	var before, after runtime.MemStats

	left := int64(plenty)
	m := &everyv1.Every{}

	runtime.ReadMemStats(&before)

	err = codec.Decode(document, m.ProtoReflect(), protojson.Options{Limits: protojson.Limits{Memory: &left}})

	runtime.ReadMemStats(&after)

	return int64(after.TotalAlloc - before.TotalAlloc), plenty - left, err
}

// What a document costs is counted while it is decoded, so that it ends before it is too much. A count that is too low would let
// documents through that cost more than they may.
//
// It is not parallel, because it measures memory.
func TestMemoryIsCounted(t *testing.T) { //nolint:paralleltest // See above.
	codec := protojson.New(config.JSON{}.WithDefaults())

	const (
		size  = 100_000
		slack = 64 << 10
	)

	for _, row := range costly {
		var b strings.Builder

		b.WriteString(row.begin)

		for i := 0; b.Len() < size; i++ {
			if i > 0 {
				b.WriteByte(',')
			}

			b.WriteString(strings.ReplaceAll(row.element, "%x", fmt.Sprintf("%x", i)))
		}

		b.WriteString(row.end)

		document := []byte(b.String())
		name := row.begin + row.element

		took, counted, err := allocated(codec, document)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}

		// A string of the document may be copied without being counted.
		if most := counted + counted/4 + 3*size + slack; took > most {
			t.Errorf("%s: takes %d bytes, of which %d are counted", name, took, counted)
		}

		// Of what it would take only a part is allowed.
		allowed := counted / 10
		left := allowed
		m := &everyv1.Every{}

		err = codec.Decode(document, m.ProtoReflect(), protojson.Options{Limits: protojson.Limits{Memory: &left}})
		if fault, ok := err.(*protojson.Error); !ok || !fault.TooLarge { //nolint:errorlint // It is the codec's own.
			t.Errorf("%s: with %d bytes allowed: %v", name, allowed, err)
		}
	}
}

// Once, a number of four megabytes took more than a second.
func TestLongNumbersAreRefused(t *testing.T) {
	t.Parallel()

	codec := protojson.New(config.JSON{}.WithDefaults())

	for _, field := range []string{"value", "doubleField", "int32Field", "uint64Field", "color", "doubleWrapper"} {
		for _, long := range []string{
			strings.Repeat("1", 4<<20), "0." + strings.Repeat("0", 1100) + "1", "1e" + strings.Repeat("0", 1100) + "1", "-" + strings.Repeat("1", 1100),
		} {
			m := &everyv1.Every{}

			err := codec.Decode([]byte(`{"`+field+`":`+long+`}`), m.ProtoReflect(), protojson.Options{})
			if err == nil || err.Error() != field+": is a number of more than 1100 characters" {
				t.Errorf("%s %.20s…: %v", field, long, err)
			}
		}
	}

	// The smallest double in full, and a large one.
	for literal, want := range map[string]float64{
		fmt.Sprintf("%.1074f", 5e-324): 5e-324, "1" + strings.Repeat("0", 300): 1e300,
	} {
		m := &everyv1.Every{}

		err := codec.Decode([]byte(`{"doubleField":`+literal+`}`), m.ProtoReflect(), protojson.Options{})
		if err != nil || m.GetDoubleField() != want {
			t.Errorf("%.20s…: %v %v", literal, m.GetDoubleField(), err)
		}
	}
}

func TestDecodingEndsWithTheRequest(t *testing.T) {
	t.Parallel()

	codec, done := protojson.New(config.JSON{}.WithDefaults()), make(chan struct{})
	document := []byte(`{"int32s":[` + strings.Repeat("1,", 10_000) + `1]}`)
	options := protojson.Options{Limits: protojson.Limits{Done: done}}

	if err := codec.Decode(document, (&everyv1.Every{}).ProtoReflect(), options); err != nil {
		t.Error(err)
	}

	close(done)

	err := codec.Decode(document, (&everyv1.Every{}).ProtoReflect(), options)
	if err == nil || !strings.HasSuffix(err.Error(), "the time of the request is over") {
		t.Error(err)
	}
}

// The message has nothing of the buffer that the document was in, which its owner may use again.
func TestStringsAreCopied(t *testing.T) {
	t.Parallel()

	codec := protojson.New(config.JSON{}.WithDefaults())
	long := strings.Repeat("x", 70_000)

	for _, text := range []string{"plain", `with \"escapes\"`, "", "ü", long} {
		document := []byte(`{"byString":{"` + text + `":"` + text + `"},"strings":["` + text + `","last"],"bytesField":"AAAA"}`)
		m, want := &everyv1.Every{}, strings.ReplaceAll(text, `\"`, `"`)

		if err := codec.Decode(document, m.ProtoReflect(), protojson.Options{}); err != nil {
			t.Fatal(err)
		}

		clear(document)

		if got, ok := m.GetByString()[want]; !ok || got != want || m.GetStrings()[0] != want || m.GetStrings()[1] != "last" {
			t.Errorf("%.20s: got %.200v", text, m)
		}
	}
}

// It is not parallel, because it measures memory.
func TestStringsShareOneAllocation(t *testing.T) { //nolint:paralleltest // See above.
	codec := protojson.New(config.JSON{}.WithDefaults())

	allocations := func(texts string) float64 {
		document := []byte(`{"strings":[` + texts + `]}`)

		return testing.AllocsPerRun(100, func() {
			if err := codec.Decode(document, (&everyv1.Every{}).ProtoReflect(), protojson.Options{}); err != nil {
				t.Fatal(err)
			}
		})
	}

	// The list grows once.
	few, many := allocations(`"a","b"`), allocations(`"some text","another","the third","the fourth"`)
	if many > few+1 && !raceDetector {
		t.Errorf("%v allocations for two strings, %v for four", few, many)
	}
}
