package backends_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func TestUserRights(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	mask := &fieldmaskpb.FieldMask{Paths: []string{"display_name"}}
	calls := map[string]func(subject string, scopes ...string) error{
		"get": func(subject string, scopes ...string) error {
			_, err := w.users.GetUser(as(t, subject, scopes...), &userv1.GetUserRequest{UserId: "bob"})

			return err
		},
		"update": func(subject string, scopes ...string) error {
			_, err := w.users.UpdateUser(as(t, subject, scopes...),
				&userv1.UpdateUserRequest{UserId: "bob", User: &userv1.User{DisplayName: "Bob"}, UpdateMask: mask})

			return err
		},
		"profile": func(subject string, scopes ...string) error {
			_, err := w.profiles.GetProfile(as(t, subject, scopes...), &profilev1.GetProfileRequest{UserId: "bob"})

			return err
		},
	}

	for name, call := range calls {
		wantCode(t, call("bob"), codes.OK)
		wantCode(t, call("admin", "users:admin"), codes.OK)
		wantCode(t, call("alice", "orders:admin"), codes.PermissionDenied)
		wantCode(t, call(""), codes.Unauthenticated)

		if t.Failed() {
			t.Fatalf("rights of %s", name)
		}
	}

	_, err := w.users.ListUsers(as(t, "alice"), &userv1.ListUsersRequest{})
	wantCode(t, err, codes.PermissionDenied)

	_, err = w.users.CreateUser(as(t, "alice"), &userv1.CreateUserRequest{Email: "e@example.com", DisplayName: "E"})
	wantCode(t, err, codes.PermissionDenied)

	_, err = w.users.DeleteUser(as(t, "alice"), &userv1.DeleteUserRequest{UserId: "nobody"})
	wantCode(t, err, codes.PermissionDenied)

	_, err = w.users.GetUser(nobody(t), &userv1.GetUserRequest{UserId: "bob"})
	wantCode(t, err, codes.Unauthenticated)
}

func TestCreateUser(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	admin := as(t, "admin", "users:admin")
	created := must[*userv1.User](t)(w.users.CreateUser(admin, &userv1.CreateUserRequest{
		Email: "dora@example.com", DisplayName: "Dora", Phone: new("+431234567"), Labels: map[string]string{"a": "b"},
	}))

	if !strings.HasPrefix(created.GetUserId(), "usr_") {
		t.Errorf("made the id %q", created.GetUserId())
	}

	read := must[*userv1.User](t)(w.users.GetUser(admin, &userv1.GetUserRequest{UserId: created.GetUserId()}))
	if diff := cmp.Diff(created, read, protocmp.Transform()); diff != "" {
		t.Errorf("stored otherwise (-created +read):\n%s", diff)
	}

	_, err := w.users.CreateUser(admin, &userv1.CreateUserRequest{UserId: "alice", Email: "new@example.com", DisplayName: "A"})
	wantCode(t, err, codes.AlreadyExists)

	_, err = w.users.CreateUser(admin, &userv1.CreateUserRequest{Email: "ALICE@example.com", DisplayName: "A"})
	wantCode(t, err, codes.AlreadyExists)
}

func TestCreateUserReportsAllViolations(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	tooMany := make(map[string]string)

	for i := range 65 {
		tooMany[fmt.Sprint(i)] = ""
	}

	_, err := w.users.CreateUser(as(t, "admin", "users:admin"), &userv1.CreateUserRequest{
		UserId: "no spaces", Email: "nowhere", Phone: new("0660 1"), Labels: tooMany,
	})
	wantFields(t, err, "user_id", "email", "display_name", "phone", "labels")

	_, err = w.users.CreateUser(as(t, "admin", "users:admin"), &userv1.CreateUserRequest{
		UserId: strings.Repeat("x", 64), Email: "a b@example.com", DisplayName: strings.Repeat("ä", 101),
	})
	wantFields(t, err, "user_id", "email", "display_name")
}

func TestListUsersPages(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	admin := as(t, "admin", "users:admin")
	token := ""

	var ids []string

	for range 3 {
		resp := must[*userv1.ListUsersResponse](t)(w.users.ListUsers(admin, &userv1.ListUsersRequest{PageSize: 1, PageToken: token}))
		if resp.GetTotalSize() != 3 {
			t.Errorf("total size is %d, want 3", resp.GetTotalSize())
		}

		ids = append(ids, resp.GetUsers()[0].GetUserId())
		token = resp.GetNextPageToken()
	}

	if diff := cmp.Diff([]string{"admin", "alice", "bob"}, ids); diff != "" || token != "" {
		t.Errorf("pages (-want +got), last token %q:\n%s", token, diff)
	}

	_, err := w.users.ListUsers(admin, &userv1.ListUsersRequest{PageToken: "mangled"})
	wantFields(t, err, "page_token")

	_, err = w.users.ListUsers(admin, &userv1.ListUsersRequest{PageSize: -1})
	wantFields(t, err, "page_size")

	// More than there may be is as much as there may be (AIP-158).
	must[*userv1.ListUsersResponse](t)(w.users.ListUsers(admin, &userv1.ListUsersRequest{PageSize: 101}))
}

func TestUpdateUser(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	update := func(user *userv1.User, paths ...string) (*userv1.User, error) {
		return w.users.UpdateUser(as(t, "alice"),
			&userv1.UpdateUserRequest{UserId: "alice", User: user, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	}

	changed := must[*userv1.User](t)(update(&userv1.User{Labels: map[string]string{"x": "y"}, Email: "ignored"}, "labels", "phone"))
	if diff := cmp.Diff(map[string]string{"x": "y"}, changed.GetLabels()); diff != "" || changed.Phone != nil {
		t.Errorf("phone %q, labels (-want +got):\n%s", changed.GetPhone(), diff)
	}

	if changed.GetEmail() != "alice@example.com" {
		t.Errorf("email became %q without being named", changed.GetEmail())
	}

	_, err := update(&userv1.User{})
	wantFields(t, err, "update_mask")

	for _, path := range []string{"status", "user_id", "create_time", "nonsense", "labels.x", ""} {
		_, err = update(&userv1.User{}, path)
		wantFields(t, err, "update_mask")

		if !strings.Contains(err.Error(), fmt.Sprintf("%q", path)) {
			t.Errorf("%v does not name %q", err, path)
		}
	}

	// Rules hold for what comes out, whatever the mask names.
	_, err = update(&userv1.User{Email: "alice@example.com"}, "*")
	wantFields(t, err, "user.display_name")

	changed = must[*userv1.User](t)(update(&userv1.User{Email: "alice@example.com", DisplayName: "A", UserId: "other"}, "*"))
	if changed.GetUserId() != "alice" || changed.GetDisplayName() != "A" || len(changed.GetLabels()) != 0 {
		t.Errorf("everything changed to %v", changed)
	}

	_, err = update(&userv1.User{Email: "x"}, "email", "display_name")
	wantFields(t, err, "user.email", "user.display_name")

	_, err = update(&userv1.User{Email: "Bob@Example.com"}, "email")
	wantCode(t, err, codes.AlreadyExists)

	_, err = w.users.UpdateUser(as(t, "admin", "users:admin"), &userv1.UpdateUserRequest{
		UserId: "ghost", User: &userv1.User{DisplayName: "G"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name"}},
	})
	wantCode(t, err, codes.NotFound)
}

func TestProfile(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	admin := as(t, "admin", "users:admin")

	_, err := w.profiles.GetProfile(admin, &profilev1.GetProfileRequest{UserId: "admin"})
	wantCode(t, err, codes.NotFound)

	update := func(p *profilev1.Profile, paths ...string) (*profilev1.Profile, error) {
		return w.profiles.UpdateProfile(admin,
			&profilev1.UpdateProfileRequest{UserId: "admin", Profile: p, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	}

	// Creates it.
	must[*profilev1.Profile](t)(update(&profilev1.Profile{
		ShippingAddress: &profilev1.Address{Lines: []string{"Here 1"}, City: "Wien", CountryCode: "AT"}, BirthYear: proto.Int32(1980),
	}, "shipping_address", "birth_year"))
	// Changes one leaf and clears another field.
	must[*profilev1.Profile](t)(update(&profilev1.Profile{
		ShippingAddress: &profilev1.Address{City: "Graz"}, Interests: []string{"go"},
	}, "shipping_address.city", "birth_year", "interests"))

	got := must[*profilev1.Profile](t)(w.profiles.GetProfile(admin, &profilev1.GetProfileRequest{UserId: "admin"}))
	want := &profilev1.Profile{
		UserId: "admin", ShippingAddress: &profilev1.Address{Lines: []string{"Here 1"}, City: "Graz", CountryCode: "AT"},
		Interests: []string{"go"}, LoyaltyTier: profilev1.LoyaltyTier_LOYALTY_TIER_BASIC,
	}

	if diff := cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(want, "update_time")); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}

	_, err = update(&profilev1.Profile{LoyaltyPoints: 1000}, "loyalty_points")
	wantFields(t, err, "update_mask")

	_, err = update(&profilev1.Profile{
		AvatarUrl: "javascript:x", Locale: "?", TimeZone: "Mars/Base", BirthYear: proto.Int32(1700),
		ShippingAddress: &profilev1.Address{CountryCode: "Austria"},
	}, "avatar_url", "locale", "time_zone", "birth_year", "shipping_address.country_code")
	wantFields(t, err, "profile.avatar_url", "profile.locale", "profile.shipping_address.country_code", "profile.birth_year")

	// What no rule can say.
	_, err = update(&profilev1.Profile{TimeZone: "Mars/Base", BirthYear: proto.Int32(9999)}, "time_zone", "birth_year")
	wantFields(t, err, "profile.time_zone", "profile.birth_year")
}
