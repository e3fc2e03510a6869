package protojson_test

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// Once, what is known about the values of a map was found out anew for each of them, under a lock.
//
// It is not parallel, because it counts allocations.
func TestMapValuesAreKnown(t *testing.T) { //nolint:paralleltest // See above.
	codec := protojson.New(config.JSON{}.WithDefaults())

	fields := (&everyv1.Every{}).ProtoReflect().Descriptor().Fields()
	value, plain := fields.ByName("color_by_string"), fields.ByName("color")

	allocations := func(field protoreflect.FieldDescriptor) float64 {
		return testing.AllocsPerRun(100, func() {
			if _, err := codec.ParseText("COLOR_RED", field, nil, protojson.Limits{}); err != nil {
				t.Error(err)
			}
		})
	}

	// The race detector empties pools at random. Finding it out anew took seven more.
	const slack = 4
	if got, want := allocations(value), allocations(plain); got > want+slack {
		t.Errorf("%.0f allocations for the value of a map, %.0f for a field", got, want)
	}
}
