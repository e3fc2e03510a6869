package fieldmask_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/fieldmask"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// The mask is what the gateway derives from the body of a PATCH.
func TestUpdateFromBody(t *testing.T) {
	t.Parallel()

	stored := func() *profilev1.Profile {
		return &profilev1.Profile{
			Bio: "old", Preferences: map[string]string{"a": "1", "b": "2"},
			ShippingAddress: &profilev1.Address{City: "Wien", CountryCode: "AT"},
		}
	}
	tests := map[string]struct {
		body string
		want func(p *profilev1.Profile)
	}{
		"scalar":          {`{"bio":"new"}`, func(p *profilev1.Profile) { p.Bio = "new" }},
		"null_clears":     {`{"bio":null}`, func(p *profilev1.Profile) { p.Bio = "" }},
		"map_as_a_whole":  {`{"preferences":{"c":"3"}}`, func(p *profilev1.Profile) { p.Preferences = map[string]string{"c": "3"} }},
		"empty_map":       {`{"preferences":{}}`, func(p *profilev1.Profile) { p.Preferences = nil }},
		"leaf":            {`{"shippingAddress":{"city":"Graz"}}`, func(p *profilev1.Profile) { p.ShippingAddress.City = "Graz" }},
		"message_is_null": {`{"shippingAddress":null}`, func(p *profilev1.Profile) { p.ShippingAddress = nil }},
		"list":            {`{"interests":["x"]}`, func(p *profilev1.Profile) { p.Interests = []string{"x"} }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			body, got, want := &profilev1.Profile{}, stored(), stored()
			if err := protojson.Unmarshal([]byte(test.body), body); err != nil {
				t.Fatal(err)
			}

			mask, err := runtime.FieldMaskFromRequestBody(strings.NewReader(test.body), body)
			if err != nil {
				t.Fatal(err)
			}

			if err := fieldmask.Update(got, body, mask, changeable()); err != nil {
				t.Fatal(err)
			}

			test.want(want)

			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("profile (-want +got):\n%s", diff)
			}
		})
	}
}

func changeable() []string {
	return []string{"bio", "preferences", "interests", "shipping_address", "shipping_address.city"}
}

// Everything that cannot be changed stays (AIP-134).
func TestUpdateEverything(t *testing.T) {
	t.Parallel()

	got := &profilev1.Profile{UserId: "u", Bio: "old", Interests: []string{"x"}, ShippingAddress: &profilev1.Address{City: "Wien"}}
	given := &profilev1.Profile{UserId: "other", Bio: "new", LoyaltyPoints: 100}

	if err := fieldmask.Update(got, given, &fieldmaskpb.FieldMask{Paths: []string{"*"}}, changeable()); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(&profilev1.Profile{UserId: "u", Bio: "new"}, got, protocmp.Transform()); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
}

func TestUpdateRefuses(t *testing.T) {
	t.Parallel()

	for name, paths := range map[string][]string{
		"no_path": nil, "unknown": {"nothing"}, "fixed": {"bio", "loyalty_points"}, "everything_and_more": {"*", "bio"},
		"empty_path": {""}, "into_a_map": {"preferences.a"}, "etag_that_it_lacks": {"bio", "etag"},
	} {
		got := &profilev1.Profile{Bio: "old"}

		err := fieldmask.Update(got, &profilev1.Profile{}, &fieldmaskpb.FieldMask{Paths: paths}, changeable())
		if fault.Status(err).Code() != codes.InvalidArgument || got.GetBio() != "old" {
			t.Errorf("%s: %v, and the bio is %q", name, err, got.GetBio())
		}
	}
}

// A body may have the etag that it was read with: it is not a change (AIP-154).
func TestUpdateLeavesEtag(t *testing.T) {
	t.Parallel()

	got := &orderv1.Order{Note: new("old"), Etag: `"2"`}
	given := &orderv1.Order{Note: new("new"), Etag: `"1"`}

	if err := fieldmask.Update(got, given, &fieldmaskpb.FieldMask{Paths: []string{"note", "etag"}}, []string{"note"}); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(&orderv1.Order{Note: new("new"), Etag: `"2"`}, got, protocmp.Transform()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
