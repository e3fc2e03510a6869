package translation_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	oddknown "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/odd/known"
)

func startKnown(t *testing.T) *gatewaytest.Site {
	t.Helper()

	return startReflecting(t, "odd", bff.WithHandlers("odd", oddknown.RegisterKnownServiceHandler, "odd.known.KnownService"))
}

// Once, a request that JSON has no form for was accepted, and a backend that answered with it made a 500.
func TestRequestsThatJSONCannotHold(t *testing.T) {
	t.Parallel()

	s := startKnown(t)

	odd, err := proto.Marshal(&fieldmaskpb.FieldMask{Paths: []string{"fooBar"}})
	if err != nil {
		t.Fatal(err)
	}

	const (
		get, post = http.MethodGet, http.MethodPost
		maskType  = "type.googleapis.com/google.protobuf.FieldMask"
	)

	mask := base64.URLEncoding.EncodeToString(odd)

	for _, row := range []struct{ method, target, body, want, faults string }{
		{get, "durations/5", "", `"5s"`, ""},
		{get, "durations/5?nanos=5", "", `"5.000000005s"`, ""},
		{get, "durations/9999999999999", "", "", "path:seconds"},
		{get, "durations?seconds=-9999999999999", "", "", "query:seconds"},
		{get, "durations?seconds=1&nanos=1000000000", "", "", "query:nanos"},
		{get, "durations/5?nanos=-5", "", "", "path:seconds"},
		{get, "durations", "", `"0s"`, ""},
		{post, "durations", `"5s"`, `"5s"`, ""},
		{post, "durations/9999999999999", "", "", "path:seconds"},
		{get, "timestamps/0", "", `"1970-01-01T00:00:00Z"`, ""},
		{get, "timestamps/253402300800", "", "", "path:seconds"},
		{get, "timestamps/0?nanos=-1", "", "", "query:nanos"},
		{get, "anys", "", `{}`, ""},
		{get, "anys?typeUrl=" + maskType, "", `{"@type":"` + maskType + `","value":""}`, ""},
		{get, "anys?typeUrl=type.googleapis.com/no.Such", "", "", "query:typeUrl"},
		{get, "anys/type.googleapis.com/no.Such", "", "", "path:type_url"},
		{get, "anys?value=AQ==", "", "", "query:value"},
		{get, "anys?value=" + mask + "&typeUrl=" + maskType, "", "", "query:value"},
		{get, "masks?paths=a&paths=b.c", "", `"a,b.c"`, ""},
		{get, "masks?paths=line_1", "", `"line_1"`, ""},
		{get, "masks?paths=a.-b", "", "", "query:paths"},
		{get, "masks/a-b", "", "", "path:paths"},
		{get, "values/1.5", "", `1.5`, ""},
		{get, "values/NaN", "", "", "path:number_value"},
		{get, "values?numberValue=Infinity", "", "", "query:numberValue"},
		{get, "values?stringValue=a", "", `"a"`, ""},
		{get, "values?listValue=[1,null]", "", `[1,null]`, ""},
		{get, "values", "", "", "query:"},
		{post, "values", "null", "null", ""},
		{post, "values", "", "", "body:"},
		{get, "doubles/NaN", "", `"NaN"`, ""},
		{get, "nested/5", "", `{"duration":"5s"}`, ""},
		{get, "nested/9999999999999", "", "", "path:duration.seconds"},
		{post, "nested/9999999999999", `{"text":"a"}`, "", "path:duration.seconds"},
		{get, "nested/no.Such/any", "", "", "path:many.type.type_url"},
	} {
		res := s.Do(t, row.method, "/odd/known/"+row.target, nil, row.body)
		if row.faults == "" {
			if res.Status != http.StatusOK {
				t.Errorf("%s: %d %s", row.target, res.Status, res.Body)
			} else {
				sameJSON(t, row.target, res.Body, row.want)
			}

			continue
		}

		if res.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", row.target, res.Status, res.Body)
		} else if got := faultsOf(t, res.Body); got != row.faults {
			t.Errorf("%s: faults %s, want %s", row.target, got, row.faults)
		}
	}
}

// Once, such a list was refused at start-up, although a path can hold it as it can hold one of them.
func TestListsOfKnownMessagesInPaths(t *testing.T) {
	t.Parallel()

	s := startKnown(t)

	for target, want := range map[string]string{
		"lists/1970-01-01T00:00:00Z,2026-11-27T15:00:00Z/5s,0.5s/1,-2": `{"timestamps":["1970-01-01T00:00:00Z","2026-11-27T15:00:00Z"],
			"durations":["5s","0.500s"],"numbers":["1","-2"]}`,
		"lists?timestamps=1970-01-01T00:00:00Z&durations=5s&durations=6s&numbers=1": `{"timestamps":["1970-01-01T00:00:00Z"],
			"durations":["5s","6s"],"numbers":["1"]}`,
		"texts/a,b": `{"texts":["a","b"]}`,
	} {
		res := s.Do(t, http.MethodGet, "/odd/known/"+target, nil, "")
		if res.Status != http.StatusOK {
			t.Errorf("%s: %d %s", target, res.Status, res.Body)

			continue
		}

		sameJSON(t, target, res.Body, want)
	}

	res := s.Do(t, http.MethodGet, "/odd/known/lists/1970-01-01T00:00:00Z,x/5s/1", nil, "")
	if got := faultsOf(t, res.Body); res.Status != http.StatusBadRequest || got != "path:timestamps" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}
