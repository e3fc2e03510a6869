package schema_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	ruledv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/ruled/v1"
)

// Once, a path had the name in JSON that cannot be found in a path.
func TestName(t *testing.T) {
	t.Parallel()

	fields := (&ruledv1.Thing{}).ProtoReflect().Descriptor().Fields()

	for name, want := range map[protoreflect.Name]string{"dotted": "dotted", "reference": "$ref", "mask": "mask"} {
		if got := schema.FieldName(fields.ByName(name)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()

	every := &everyv1.Every{
		StringField: "a b", Int64Field: 7, Color: everyv1.Color_COLOR_RED, Every: &everyv1.Every{Color: 9, BoolField: true},
	}
	// Reading changes nothing.
	before := proto.Clone(every)

	for path, want := range map[string]struct {
		err        error
		json, text string
		hasText    bool
	}{
		"string_field":          {nil, "stringField", "a b", true},
		"stringField":           {nil, "stringField", "a b", true},
		"int64_field":           {nil, "int64Field", "7", true},
		"color":                 {nil, "color", "COLOR_RED", true},
		"every.color":           {nil, "every.color", "9", true},
		"every.boolField":       {nil, "every.boolField", "true", true},
		"every.every.int32s":    {nil, "every.every.int32s", "", false},
		"every":                 {nil, "every", "", false},
		"bytes_field":           {nil, "bytesField", "", false},
		"by_string":             {nil, "byString", "", false},
		"@odd name":             {nil, "@odd name", "", true},
		"every.every.every.int": {schema.ErrNoField, "every.every.every", "", false},
		"none":                  {schema.ErrNoField, "", "", false},
		"":                      {schema.ErrNoField, "", "", false},
		"every.":                {schema.ErrNoField, "every", "", false},
		"everies.color":         {schema.ErrNotMessage, "everies", "", false},
		"string_field.x":        {schema.ErrNotMessage, "stringField", "", false},
		"every_by_string.value": {schema.ErrNotMessage, "everyByString", "", false},
	} {
		got, err := schema.ResolveField(every.ProtoReflect().Descriptor(), path)
		if !errors.Is(err, want.err) || got.String() != want.json {
			t.Errorf("%q: %s, %v", path, got, err)
		}

		if err != nil {
			continue
		}

		if got.HasText() != want.hasText || want.hasText && got.Text(every.ProtoReflect()) != want.text {
			t.Errorf("%q: has text %t: %q", path, got.HasText(), got.Text(every.ProtoReflect()))
		}
	}

	if !proto.Equal(before, every) {
		t.Errorf("it is %v now", every)
	}
}
