package validate_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/validate"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func TestRequest(t *testing.T) {
	t.Parallel()

	long, mask := strings.Repeat("k", 1000), &fieldmaskpb.FieldMask{Paths: []string{"phone"}}

	for name, row := range map[string]struct {
		req  proto.Message
		want string
	}{
		"valid":                {&userv1.GetUserRequest{UserId: "u"}, ""},
		"field":                {&userv1.GetUserRequest{}, "user_id "},
		"part_of_a_resource":   {&userv1.UpdateUserRequest{UserId: "u", User: &userv1.User{Phone: new("1")}, UpdateMask: mask}, ""},
		"resource_and_no_mask": {&userv1.UpdateUserRequest{UserId: "u", User: &userv1.User{}}, ""},
		"no_resource":          {&userv1.UpdateUserRequest{UserId: "u"}, "user "},
		"beside_the_resource":  {&userv1.UpdateUserRequest{User: &userv1.User{}}, "user_id "},
		"key_that_is_too_long": {&userv1.CreateUserRequest{Email: "a@b.c", DisplayName: "A", Labels: map[string]string{long: ""}}, `labels["kkk`},
	} {
		err := validate.Request(row.req)
		got := fault.Status(err).Message()

		if row.want != "" {
			row.want = "invalid request: " + row.want
		}

		if (row.want == "") != (err == nil) || !strings.HasPrefix(got, row.want) || len(got) > 500 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestResource(t *testing.T) {
	t.Parallel()

	err := validate.Resource("user", &userv1.User{Email: "a@b.c"})
	if got := fault.Status(err).Message(); !strings.HasPrefix(got, "invalid request: user.display_name ") {
		t.Errorf("%q", got)
	}
}
