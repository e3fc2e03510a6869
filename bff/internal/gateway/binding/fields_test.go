package binding_test

import (
	"net/url"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// choosing is the configuration of a route whose clients choose the fields of every.v1.Every.
func choosing() binding.Config {
	codec := protojson.New(config.JSON{}.WithDefaults())

	return binding.Config{Codec: codec, Fields: &binding.Fields{
		Parameter: "fields", Selector: codec.Selector((&everyv1.Every{}).ProtoReflect().Descriptor(), nil),
	}}
}

func TestFieldsOfTheResponse(t *testing.T) {
	t.Parallel()

	b := bind(t, "GET /v1/every", choosing())

	for query, want := range map[string]string{
		"fields=stringField": "stringField",
		"boolField=true&fields=strings&fields=every.boolField": "every(boolField),strings",
		"%66ields=strings%2Cevery%28boolField%29":              "every(boolField),strings",
		"fields=*": "*",
	} {
		mask, err := b.Query(query, (&everyv1.Every{}).ProtoReflect())
		if err != nil || mask.String() != want {
			t.Errorf("%s: got %v, %v", query, mask, err)
		}
	}

	if mask, err := b.Query("boolField=true", (&everyv1.Every{}).ProtoReflect()); err != nil || mask != nil {
		t.Errorf("without: got %v, %v", mask, err)
	}

	for query, want := range map[string]string{
		"fields=":                 "query fields: is empty; write fields=a,b.c, or fields=* for all",
		"fields=strngs&nothing=1": `query nothing: unknown parameter; query fields: "strngs" is not a field of the response; did you mean "strings"?`,
		"fields.a=1":              `query fields.a: unknown parameter; did you mean "fields"?`,
		// Once, nothing suggested it.
		"field=strings":          `query field: unknown parameter; did you mean "fields"?`,
		"Fields=strings":         `query Fields: unknown parameter; did you mean "fields"?`,
		"fields=strings&fields=": "query fields: is given 2 times, and one of them is empty; write it once, as fields=a,b.c, or fields=* for all",
		"fields=&fields=":        "query fields: is given 2 times, and one of them is empty; write it once, as fields=a,b.c, or fields=* for all",
	} {
		if got := queryFaults(t, b, query, (&everyv1.Every{}).ProtoReflect()); got != want {
			t.Errorf("%s: got %s", query, got)
		}
	}

	if got := queryFaults(t, bind(t, "GET /v1/every", binding.Config{}), "fields=a", (&everyv1.Every{}).ProtoReflect()); got != "query fields: unknown parameter" {
		t.Errorf("a route that takes none: %s", got)
	}

	// It matters even where unknown parameters do not.
	lenient := choosing()
	lenient.AllowUnknown = true

	if bind(t, "GET /v1/every", lenient).Ignores("fields") {
		t.Error("it is ignored")
	}
}

func TestFieldsInNormalForm(t *testing.T) {
	t.Parallel()

	b := bind(t, "GET /v1/every", choosing())

	for query, want := range map[string]string{
		"fields=every.bool_field,every.boolField&a=1": "a=1&fields=every%28boolField%29",
		"fields=every(boolField&a=1":                  "a=1&fields=every%28boolField",
		"a=1":                                         "a=1",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}

		if b.NormalizeFields(values); values.Encode() != want {
			t.Errorf("%s: got %s", query, values.Encode())
		}
	}
}

// maskedFile is a file with a backend that takes the fields.
const maskedFile = `
name: "masked.proto" package: "masked" syntax: "proto3"
dependency: "google/protobuf/field_mask.proto" dependency: "google/api/annotations.proto"
message_type {name: "Get"
  field {name: "read_mask" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".google.protobuf.FieldMask" json_name: "readMask"}
}
message_type {name: "Page"
  field {name: "page_id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "pageId"}
  field {name: "top" number: 2 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".masked.Page" json_name: "top"}
  field {name: "parts" number: 3 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".masked.Page" json_name: "parts"}
}
service {name: "S" method {name: "Get" input_type: ".masked.Get" output_type: ".masked.Page"
  options {[google.api.http] {get: "/v1/page"}}}}
`

// Where a request has a field for them, the backend is told which fields are chosen.
func TestReadMask(t *testing.T) {
	t.Parallel()

	file := &descriptorpb.FileDescriptorProto{}
	if err := prototext.Unmarshal([]byte(maskedFile), file); err != nil {
		t.Fatal(err)
	}

	made, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}

	routes, err := schema.Routes(made.Services().Get(0))
	if err != nil {
		t.Fatal(err)
	}

	codec := protojson.New(config.JSON{}.WithDefaults())

	b, err := binding.Compile(routes[0], binding.Config{Codec: codec, Fields: &binding.Fields{
		Parameter: "fields", Selector: codec.Selector(routes[0].Descriptor.Output(), nil), Read: []string{"top.page_id", "page_id"},
	}})
	if err != nil {
		t.Fatal(err)
	}

	for query, want := range map[string]string{
		"":                            "",
		"readMask=page_id":            "pageId",
		"fields=top.top.pageId":       "top.top.pageId,top.pageId,pageId",
		"fields=top":                  "top,pageId",
		"fields=parts(pageId),pageId": "pageId,parts,top.pageId",
		"fields=*":                    "*",
	} {
		m := dynamicpb.NewMessage(made.Messages().ByName("Get"))
		if _, err := b.Query(query, m); err != nil {
			t.Fatal(err)
		}

		text, err := codec.Marshal(m.Interface())
		if want = `{"readMask":"` + want + `"}`; query == "" {
			want = "{}"
		}

		if err != nil || string(text) != want {
			t.Errorf("%s: got %s, %v", query, text, err)
		}
	}

	m := dynamicpb.NewMessage(made.Messages().ByName("Get"))
	if got := queryFaults(t, b, "fields=pageId&readMask=page_id", m); got != "query fields: cannot be given together with readMask" {
		t.Errorf("both: %s", got)
	}
}
