package translation_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	oddknown "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/odd/known"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// complete is an item that keeps all rules.
const complete = `{"title":"t","address":{"street":"s","city":"c"},"email":"e","high":1}`

// Once, what was said of oneofs named neither them nor all of their members.
func TestOneofsAreNamed(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartItems(t, nil)

	for _, row := range []struct{ target, body, errors string }{
		{
			"/v1/items/a?updateMask=email", `{}`, `[{"in":"body","field":"contact","description":"set one of email, postal"}]`,
		},
		{
			"/v1/items", `{"item":{"name":"items/a","title":"t","address":{"street":"s","city":"c"},"high":1}}`,
			`[{"in":"body","field":"item.contact","description":"set one of email, postal"}]`,
		},
		{
			"/v1/items/a", `{"email":"e","postal":{"street":"s"}}`,
			`[{"in":"body","field":"postal","description":"is a second member of the oneof \"contact\", as email is"}]`,
		},
		{"/v1/items/a", `{"red":"r","blue":"b"}`, `[{"in":"body","field":"","description":"set only one of red, blue"}]`},
	} {
		res := s.Do(t, http.MethodPatch, row.target, nil, row.body)

		errors, err := json.Marshal(res.Problem(t)["errors"])
		if err != nil {
			t.Fatal(err)
		}

		sameJSON(t, row.target+" "+row.body, string(errors), row.errors)
	}
}

// Once, the rules of fields that an update does not change were enforced, so that a part of an item could not be updated.
func TestUpdateIsCheckedByItsMask(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartItems(t, nil)

	for _, row := range []struct {
		name, target, body string
		// faults are the fields with a fault, as in:name; empty: the request arrives.
		faults string
	}{
		{"one_field", "/v1/items/a", `{"title":"t"}`, ""},
		{"a_wrong_field", "/v1/items/a", `{"title":"longer"}`, "body:title"},
		{"a_required_field_is_removed", "/v1/items/a", `{"title":""}`, "body:title"},
		{"a_required_field_is_null", "/v1/items/a", `{"title":null,"email":"e"}`, "body:title"},
		{"a_required_message_is_removed", "/v1/items/a", `{"address":null}`, "body:address"},
		{"a_field_of_a_message", "/v1/items/a", `{"address":{"city":"c"}}`, ""},
		{"a_wrong_field_of_a_message", "/v1/items/a", `{"address":{"city":"longer"}}`, "body:address.city"},
		{"a_message_as_a_whole", "/v1/items/a?updateMask=address", `{"address":{"city":"c"}}`, "body:address.street"},
		{"elements", "/v1/items/a", `{"parts":[{"text":"abc"},{"text":"abcd"}]}`, "body:parts[1].text"},
		{"a_list", "/v1/items/a", `{"parts":[{},{},{}]}`, "body:parts"},
		{"a_map", "/v1/items/a", `{"labels":{"a":"longer"}}`, `body:labels["a"]`},
		{"a_field_with_a_json_name", "/v1/items/a", `{"strange":"longer"}`, "body:strange"},
		{"a_field_with_a_digit", "/v1/items/a", `{"line1":"longer"}`, "body:line1"},
		{"a_member_of_a_oneof", "/v1/items/a", `{"email":"longer"}`, "body:email"},
		{"the_oneof_is_removed", "/v1/items/a", `{"email":null}`, "body:contact"},
		{"the_path", "/v1/items/A", `{"title":"t"}`, "path:item.name"},
		{"beside_the_resource", "/v1/items/a?reason=longer", `{"title":"t"}`, "query:reason"},
		{"beside_the_resource_and_in_it", "/v1/items/a?reason=longer", `{"title":"longer"}`, "query:reason body:title"},

		{"a_rule_of_two_fields", "/v1/items/a", `{"low":2,"high":1}`, "body:"},
		{"a_rule_of_two_fields_with_one", "/v1/items/a", `{"low":2}`, ""},
		{"two_of_which_one_may_be_set", "/v1/items/a", `{"red":"r","blue":"b"}`, "body:"},
		{"one_of_which_one_may_be_set", "/v1/items/a", `{"red":"r"}`, ""},

		{"explicit_and_removed", "/v1/items/a?updateMask=title,email", `{}`, "body:contact body:title"},
		{"explicit_within_a_message_that_is_missing", "/v1/items/a?updateMask=address.city", `{}`, "body:address.city"},
		{"explicit_in_proto_names", "/v1/items/a?update_mask=line_1", `{"line1":"longer"}`, "body:line1"},
		{"explicit_in_json_names", "/v1/items/a?updateMask=line1,strange", `{"line1":"longer","strange":"longer"}`, "body:strange body:line1"},
		{"explicit_from_the_request", "/v1/items/a?updateMask=item.title", `{"title":"longer"}`, "body:title"},
		{"all", "/v1/items/a?updateMask=*", `{"title":"t"}`, "body:contact body:address"},
		{"all_of_what_is_complete", "/v1/items/a?updateMask=*", complete, ""},
		{"none", "/v1/items/a?updateMask=", `{"title":"t"}`, "body:contact body:address"},
		{"none_derived", "/v1/items/a", `{}`, "body:contact body:title body:address"},
		{"unknown", "/v1/items/a?updateMask=none", `{"title":"t"}`, "body:contact body:address"},

		{"in_the_body_and_wrong", "/v1/items", `{"item":{"title":"longer"},"updateMask":"title"}`, "body:item.title"},
		{"in_the_body_without_an_item", "/v1/items", `{"updateMask":"red"}`, "body:item"},
		{"in_the_body_without_a_mask", "/v1/items", `{"item":{"name":"items/a","title":"t"}}`, "body:item.contact body:item.address"},
		{"in_the_body_all", "/v1/items", `{"item":{"name":"items/a",` + complete[1:] + `,"updateMask":"*"}`, ""},

		{"flat_and_wrong", "/v1/flats/a", `{"title":"t","color":"longer","updateMask":"title,color"}`, "body:color"},
		{"flat_without_a_mask", "/v1/flats/a", `{"title":"t"}`, "body:color"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			res := s.Do(t, http.MethodPatch, row.target, nil, row.body)

			if got := faultsOf(t, res.Body); got != row.faults || (res.Status == http.StatusOK) != (row.faults == "") {
				t.Errorf("%d, faults %q, want %q: %s", res.Status, got, row.faults, res.Body)
			}
		})
	}

	// A PUT replaces the resource, whatever a mask says.
	res := s.Do(t, http.MethodPut, "/v1/items/a?updateMask=title", nil, `{"title":"t"}`)
	if got := faultsOf(t, res.Body); got != "body:contact body:address" {
		t.Errorf("%d, faults %q: %s", res.Status, got, res.Body)
	}
}

// What the mask does not name may be missing or wrong. Once, the description of a body with the mask in it did not allow that.
func TestUpdateLeavesOutWhatItsMaskDoesNotName(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartItems(t, nil)

	for _, row := range []struct{ target, body string }{
		{"/v1/items/a?updateMask=title", `{"title":"t","email":"longer"}`},
		{"/v1/items/a?updateMask=title,address.city", `{"title":"t","address":{"city":"c"},"email":"longer"}`},
		{"/v1/items/a?update_mask=line1", `{"line1":"t","address":{"city":"longer"},"title":null}`},
		{"/v1/items", `{"item":{"name":"items/a","title":"t"},"updateMask":"title"}`},
		{"/v1/items", `{"item":{"name":"items/a","title":"t","email":"longer"},"updateMask":"title"}`},
		{"/v1/items", `{"reason":"r","updateMask":"reason"}`},
		{"/v1/flats/a", `{"title":"t","updateMask":"title"}`},
	} {
		if res := s.Do(t, http.MethodPatch, row.target, nil, row.body); res.Status != http.StatusOK {
			t.Errorf("%s: %d %s", row.target, res.Status, res.Body)
		}
	}
}

// faultsOf are the fields that a problem is about, with the parts of the request that they are in.
func faultsOf(t *testing.T, problem string) string {
	t.Helper()

	var doc struct {
		Errors []struct{ In, Field string }
	}

	if err := json.Unmarshal([]byte(problem), &doc); err != nil {
		t.Fatalf("%v: %s", err, problem)
	}

	faults := make([]string, len(doc.Errors))
	for i, fault := range doc.Errors {
		faults[i] = fault.In + ":" + fault.Field
	}

	return strings.Join(faults, " ")
}

// A header that is bound to the mask replaces that of the body, as the query does, and has to agree with that of the query. Once, it was
// held against that of the body.
func TestUpdateMaskInAHeader(t *testing.T) {
	t.Parallel()

	s := startReflecting(t, "odd", bff.WithHandlers("odd", oddknown.RegisterThingServiceHandler, "odd.known.ThingService"),
		bff.WithDefaultPolicy(&porticov1.MethodPolicy{Headers: []*porticov1.HeaderBinding{{Header: "X-Update-Mask", Field: "update_mask"}}}))

	for _, row := range []struct{ query, mask, body, want, faults string }{
		{"", "title", `{"title":"t","email":"e"}`, "title", ""},
		{"", "title", `{"email":"e"}`, "", "body:title"},
		{"", "email,line1", `{"email":"e"}`, "email,line_1", ""},
		{"", "", `{"email":"e"}`, "", "body:title"},
		{"?updateMask=email", "title", `{"title":"t"}`, "", "header:X-Update-Mask"},
		{"", "a-b", `{"title":"t"}`, "", "header:X-Update-Mask"},
	} {
		res := s.Do(t, http.MethodPatch, "/odd/known/things/a"+row.query, http.Header{"X-Update-Mask": {row.mask}}, row.body)
		if row.faults != "" {
			if got := faultsOf(t, res.Body); got != row.faults {
				t.Errorf("%v: %d, faults %q: %s", row, res.Status, got, res.Body)
			}

			continue
		}

		var doc struct{ UpdateMask string }
		if err := json.Unmarshal([]byte(res.Body), &doc); err != nil || res.Status != http.StatusOK || doc.UpdateMask != row.want {
			t.Errorf("%v: %d %s", row, res.Status, res.Body)
		}
	}

	// Without the header, the mask is that of the body.
	if res := s.Do(t, http.MethodPatch, "/odd/known/things/a", nil, `{"email":"e"}`); !strings.Contains(res.Body, `"updateMask":"email"`) {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// A name of JSON that is not made of that of the proto reaches the backend as the latter.
func TestUpdateMaskGetsProtoNames(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartItems(t, nil)

	for mask, want := range map[string]string{
		"line1,strange,title":    "line_1,odd,title",
		"line_1,odd":             "line_1,odd",
		"address.city,none.none": "address.city,none.none",
		"labels.some_key":        "labels.someKey",
		"item.strange":           "item.odd",
	} {
		res := s.Do(t, http.MethodPatch, "/v1/items/a?updateMask="+mask, nil, complete)

		var doc struct{ UpdateMask string }
		if err := json.Unmarshal([]byte(res.Body), &doc); err != nil || doc.UpdateMask != want {
			t.Errorf("%s: %d %s", mask, res.Status, res.Body)
		}
	}
}

// Once, a mask that the backend answered with was a 500 if JSON's camelCase cannot hold it.
func TestMasksAreAnswered(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirror(t, nil)

	for _, row := range []struct{ method, target, body, want string }{
		{"PATCH", "/v1/every/a?updateMask=*", `{"int32Field":1}`, `{"every":{"stringField":"a","int32Field":1},"updateMask":"*"}`},
		{"PATCH", "/v1/every/a", `{"UnderScore":"x"}`, `{"every":{"stringField":"a","UnderScore":"x"},"updateMask":"_under__score_"}`},
		{"PATCH", "/v1/every/a?updateMask=line_1,a__b", "", `{"every":{"stringField":"a"},"updateMask":"line_1,a__b"}`},
		{"GET", "/v1/every?fieldMask=*", "", `{"fieldMask":"*"}`},
		{"GET", "/v1/every?fieldMask=line_1", "", `{"fieldMask":"line_1"}`},
		{"GET", "/v1/every?every.fieldMask=a_b,a__b", "", `{"every":{"fieldMask":"aB,a__b"}}`},
		{"POST", "/v1/every", `{"fieldMask":"*"}`, `{"fieldMask":"*"}`},
		{"POST", "/v1/every", `{"fieldMask":"aB,line_1"}`, `{"fieldMask":"aB,line_1"}`},
	} {
		res := s.Do(t, row.method, row.target, nil, row.body)
		if res.Status != http.StatusOK {
			t.Errorf("%s %s: %d %s", row.method, row.target, res.Status, res.Body)

			continue
		}

		sameJSON(t, row.method+" "+row.target, res.Body, row.want)
	}

	for target, want := range map[string]string{
		"/v1/every?fieldMask=a-b": "is not a path of fields", "/v1/every?fieldMask=a_b,*": "is not a path of fields",
		"/v1/every?fieldMask=a,,b": "is not a path of fields",
	} {
		if res := s.Do(t, http.MethodGet, target, nil, ""); res.Status != http.StatusBadRequest || !strings.Contains(res.Body, want) {
			t.Errorf("%s: %d %s", target, res.Status, res.Body)
		}
	}
}

// masking answers with the mask whose paths are the strings.
type masking struct{ gatewaytest.Mirror }

func (masking) Echo(_ context.Context, m *everyv1.Every) (*everyv1.Every, error) {
	return &everyv1.Every{FieldMask: &fieldmaskpb.FieldMask{Paths: m.GetStrings()}}, nil
}

// What is not the client's own is a fault of the backend. Once, it was a 500 if it is no path of fields, such as AIP-161 has.
func TestMaskOfTheBackendThatJSONCannotHold(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirrorOf(t, masking{}, nil, nil)

	for _, paths := range []string{"fooBar", "a-b", "reviews.*.rating", "labels.%60a.b%60", "", "a&strings=*", "*&strings=*", "%22"} {
		res := s.Do(t, http.MethodGet, "/v1/every?strings="+paths, nil, "")
		if res.Status != http.StatusNotImplemented || !strings.Contains(res.Body, "field mask") {
			t.Errorf("%s: %d %s", paths, res.Status, res.Body)
		}
	}
}
