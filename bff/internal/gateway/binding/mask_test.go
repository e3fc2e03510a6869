package binding_test

import (
	"testing"

	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// Once, a mask ended the search in the message that holds it.
func TestHasProtoPath(t *testing.T) {
	t.Parallel()

	plain, odd := &fieldmaskpb.FieldMask{Paths: []string{"name"}}, &fieldmaskpb.FieldMask{Paths: []string{"name", "line_1"}}

	packed, err := anypb.New(odd)
	if err != nil {
		t.Fatal(err)
	}

	for want, message := range map[bool][]*everyv1.Every{
		false: {{}, {FieldMask: plain}, {FieldMask: plain, Every: &everyv1.Every{FieldMask: plain}}},
		true: {
			{FieldMask: odd},
			{FieldMask: plain, Every: &everyv1.Every{FieldMask: odd}},
			{FieldMask: odd, Every: &everyv1.Every{FieldMask: plain}},
			{FieldMask: plain, Any: packed},
			{Everies: []*everyv1.Every{{FieldMask: plain}, {FieldMask: odd}}},
		},
	} {
		for _, m := range message {
			if got := binding.HasProtoPath(m); got != want {
				t.Errorf("%v: got %t", m, got)
			}
		}
	}
}
