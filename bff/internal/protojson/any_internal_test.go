package protojson

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/config"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// Once, all that is in an Any was looked through for each Any that it is in.
func TestTypesAreLookedForOnce(t *testing.T) {
	t.Parallel()

	const levels = 20

	var document strings.Builder
	for range levels {
		document.WriteString(`{"value":`)
	}

	document.WriteString(`"text"`)

	for range levels {
		document.WriteString(`,"@type":"x/google.protobuf.Any"}`)
	}

	d := New(config.JSON{}.WithDefaults()).decoder([]byte(document.String()), Options{})

	for level := range levels {
		url, _, err := d.typeURL()
		if url != "x/google.protobuf.Any" || err != nil {
			t.Fatalf("level %d: %q, %v", level, url, err)
		}

		d.pos += len(`{"value":`)

		// What has been looked through is not looked through again.
		at := bytes.Index(d.data, []byte(`"text"`))
		if at < 0 {
			at = bytes.Index(d.data, []byte(`!text!`))
		}

		copy(d.data[at:], `!text!`)
	}
}

func TestTypesOfAnyInAny(t *testing.T) {
	t.Parallel()

	const every, anyType = `"@type":"x/every.v1.Every"`, `"@type":"x/google.protobuf.Any"`

	for body, want := range map[string]string{
		`{"any":{"value":{"int32Field":1,` + every + `},` + anyType + `}}`:                                         "",
		`{"any":{"any":{"int32Field":1,` + every + `},` + every + `}}`:                                             "",
		`{"any":{"struct":{"@type":1,"a":{"@type":{}}},` + every + `}}`:                                            "",
		`{"any":{"any":{},` + every + `}}`:                                                                         "",
		`{"anys":[{` + every + `,"any":{` + every + `}},{},{"any":{"int32Field":1,` + every + `},` + every + `}]}`: "",
		`{"any":{"any":{"int32Field":1},` + every + `}}`:                                                           `any.any: the member "@type" is missing`,
		`{"any":{"any":{` + every + `,` + every + `},` + every + `}}`:                                              "any.any.@type: is set more than once",
		`{"any":{"any":{"@type":""},` + every + `}}`:                                                               "any.any.@type: is empty",
		`{"any":{"any":{"@type":1},` + every + `}}`:                                                                "any.any.@type: is a number, not a string",
		`{"any":{"any":[],` + every + `}}`:                                                                         "any.any: is an array, not an object",
	} {
		got := ""
		if err := New(config.JSON{}.WithDefaults()).Unmarshal([]byte(body), &everyv1.Every{}); err != nil {
			got = err.Error()
		}

		if got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}

	inner := &everyv1.Every{}
	outer := &everyv1.Every{}

	if err := New(config.JSON{}.WithDefaults()).Unmarshal([]byte(`{"any":{"int32Field":1,"any":{"int32Field":2,`+every+`},`+every+`}}`), outer); err != nil {
		t.Fatal(err)
	}

	if err := outer.GetAny().UnmarshalTo(inner); err != nil || inner.GetInt32Field() != 1 {
		t.Errorf("%v, %v", inner, err)
	}

	again := &everyv1.Every{}
	if err := inner.GetAny().UnmarshalTo(again); err != nil || !proto.Equal(again, &everyv1.Every{Int32Field: 2}) {
		t.Errorf("%v, %v", again, err)
	}
}
