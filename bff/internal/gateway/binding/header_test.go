package binding_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

func TestHeaders(t *testing.T) {
	t.Parallel()

	routed := func(route string) *binding.Binding {
		b := bind(t, route, binding.Config{Headers: []binding.Header{
			{Name: "If-Match", Field: field(t, "string_field")},
			{Name: "X-Number", Field: field(t, "every.int32_field")},
			{Name: "X-Choice", Field: field(t, "choice_string")},
			{Name: "Last-Event-Id", Field: field(t, "int64_field")},
		}})

		return b
	}

	for _, row := range []struct {
		header http.Header
		given  *everyv1.Every
		want   string
	}{
		{http.Header{}, &everyv1.Every{}, ""},
		{http.Header{"If-Match": {`"v1"`}, "X-Number": {"7"}}, &everyv1.Every{StringField: `"v1"`, Every: &everyv1.Every{Int32Field: 7}}, ""},
		{http.Header{"If-Match": {"a"}}, &everyv1.Every{StringField: "b"}, "header If-Match: differs from what the rest of the request says"},
		{http.Header{"If-Match": {"a", "b"}}, &everyv1.Every{}, "header If-Match: is set more than once"},
		// Once, an EventSource that began in the middle was refused when it came back.
		{http.Header{"Last-Event-Id": {"7"}}, &everyv1.Every{Int64Field: 6}, ""},
		// Once, an empty one was no number.
		{http.Header{"Last-Event-Id": {""}}, &everyv1.Every{Int64Field: 6}, ""},
		{http.Header{"Last-Event-Id": {"", "7"}}, &everyv1.Every{}, "header Last-Event-Id: is set more than once"},
		{http.Header{"X-Number": {"x"}}, &everyv1.Every{}, `header X-Number: "x" is not a number`},
		{
			http.Header{"X-Choice": {"x"}},
			&everyv1.Every{Choice: &everyv1.Every_ChoiceInt32{ChoiceInt32: 1}},
			`header X-Choice: is a second member of the oneof "choice", as choiceInt32 is`,
		},
	} {
		if got := faults(t, routed("GET /v1/every").Header(row.header, row.given.ProtoReflect())); got != row.want {
			t.Errorf("%v: %q, want %q", row.header, got, row.want)
		}
	}
}

// Once, the unknown name of an enum value, passed over, was in the mask all the same and cleared the field.
func TestMaskOfWhatIsPassedOver(t *testing.T) {
	t.Parallel()

	m := &everyv1.UpdateRequest{}
	b := bind(t, "PATCH /v1/every/{every.string_field}", binding.Config{AllowUnknown: true})

	if err := b.Body([]byte(`{"color":"NONE","none":1,"int32Field":1,"colors":["NONE"]}`), m.ProtoReflect(), protojson.Limits{}); err != nil {
		t.Fatal(err)
	}

	if got := strings.Join(m.GetUpdateMask().GetPaths(), ","); got != "int32_field,colors" {
		t.Errorf("the mask is %s", got)
	}
}
