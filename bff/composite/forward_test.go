package composite_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// method is a method of a generated client.
type method[Request, Reply proto.Message] = func(context.Context, Request, ...grpc.CallOption) (Reply, error)

// returning is a method that returns a reply as a connection does.
func returning[Request, Reply proto.Message](reply Reply) method[Request, Reply] {
	return func(_ context.Context, _ Request, opts ...grpc.CallOption) (Reply, error) {
		if !passthrough.In(opts) {
			return reply, errors.New("the reply will be decoded")
		}

		encoding, err := proto.Marshal(reply)
		undecoded, _ := reply.ProtoReflect().New().Interface().(Reply)
		undecoded.ProtoReflect().SetUnknown(encoding)

		return undecoded, err
	}
}

func getUser(reply *userv1.User) func(context.Context) error {
	return composite.Forward(returning[*userv1.GetUserRequest](reply), &userv1.GetUserRequest{})
}

func listOrders(reply *orderv1.ListOrdersResponse) func(context.Context) error {
	return composite.Forward(returning[*orderv1.ListOrdersRequest](reply), &orderv1.ListOrdersRequest{})
}

func twoOrders() *orderv1.ListOrdersResponse {
	return &orderv1.ListOrdersResponse{Orders: []*orderv1.Order{{OrderId: "ord_1"}, {}}, NextPageToken: "next", TotalSize: 7}
}

func TestForward(t *testing.T) {
	t.Parallel()

	ada := &userv1.User{UserId: "usr_ada", DisplayName: "Ada"}
	list := twoOrders()
	profile := &profilev1.Profile{UserId: "usr_ada"}
	set := func(page *dashboardv1.Dashboard) func(context.Context) error {
		return func(context.Context) error {
			page.Profile = profile

			return nil
		}
	}
	// As a connection of a test returns it.
	decoded := composite.Forward(func(context.Context, *userv1.GetUserRequest, ...grpc.CallOption) (*userv1.User, error) {
		return ada, nil
	}, &userv1.GetUserRequest{})
	fails := func(context.Context) error { return status.Error(codes.NotFound, "no such user") }

	for name, tt := range map[string]struct {
		branches func(page *dashboardv1.Dashboard) []*composite.Branch
		want     *dashboardv1.Dashboard
	}{
		"all": {
			func(*dashboardv1.Dashboard) []*composite.Branch {
				return []*composite.Branch{composite.Required("user", getUser(ada)), composite.Optional("orders", listOrders(list))}
			},
			&dashboardv1.Dashboard{User: ada, Orders: list.GetOrders()},
		},
		"beside_fields_that_are_set": {
			func(page *dashboardv1.Dashboard) []*composite.Branch {
				return []*composite.Branch{
					composite.Optional("orders", listOrders(list)), composite.Required("profile", set(page)),
					composite.Required("user", getUser(ada)),
				}
			},
			&dashboardv1.Dashboard{User: ada, Orders: list.GetOrders(), Profile: profile},
		},
		"beside_a_missing_part": {
			func(*dashboardv1.Dashboard) []*composite.Branch {
				return []*composite.Branch{composite.Optional("user", fails), composite.Optional("orders", listOrders(list))}
			},
			&dashboardv1.Dashboard{Orders: list.GetOrders(), PartialErrors: []*porticov1.PartialError{
				{Part: "user", Code: code.Code_NOT_FOUND, Message: "no such user"},
			}},
		},
		"empty": {
			func(*dashboardv1.Dashboard) []*composite.Branch {
				return []*composite.Branch{
					composite.Required("user", getUser(&userv1.User{})),
					composite.Required("orders", listOrders(&orderv1.ListOrdersResponse{NextPageToken: "next"})),
				}
			},
			&dashboardv1.Dashboard{User: &userv1.User{}},
		},
		"decoded_reply": {
			func(*dashboardv1.Dashboard) []*composite.Branch {
				return []*composite.Branch{composite.Required("user", decoded)}
			},
			&dashboardv1.Dashboard{User: ada},
		},
		"branch_fails_afterwards": {
			func(*dashboardv1.Dashboard) []*composite.Branch {
				return []*composite.Branch{composite.Optional("user", func(ctx context.Context) error {
					return errors.Join(getUser(ada)(ctx), fails(ctx))
				})}
			},
			&dashboardv1.Dashboard{PartialErrors: []*porticov1.PartialError{
				{Part: "user", Code: code.Code_NOT_FOUND, Message: "no such user"},
			}},
		},
		"in_place_of_what_failed": {
			func(*dashboardv1.Dashboard) []*composite.Branch {
				return []*composite.Branch{composite.Optional("user", func(ctx context.Context) error {
					if err := fails(ctx); err != nil {
						return getUser(ada)(ctx)
					}

					return nil
				})}
			},
			&dashboardv1.Dashboard{User: ada},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			page := &dashboardv1.Dashboard{}
			if err := composite.Run(t.Context(), page, tt.branches(page)...); err != nil {
				t.Fatal(err)
			}

			if page.GetUser() != nil || page.GetOrders() != nil {
				t.Error("a reply was decoded")
			}

			compareJSON(t, page, tt.want)

			if err := composite.Decode(page); err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(tt.want, page, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func compareJSON(t *testing.T, got, want proto.Message) {
	t.Helper()

	for _, cfg := range []config.JSON{{}, {EmitDefaults: true}} {
		codec := protojson.New(cfg)

		wantText, wantErr := codec.Append(nil, want, false)
		gotText, err := codec.Append(nil, got, false)

		if err := errors.Join(wantErr, err); err != nil || string(gotText) != string(wantText) {
			t.Errorf("JSON is %s, want %s (%v)", gotText, wantText, err)
		}
	}
}

// A page may have unknown fields already, such as those of a message that it was made from.
func TestForwardAddsToUnknownFields(t *testing.T) {
	t.Parallel()

	const future = 1000

	page := &dashboardv1.Dashboard{}
	page.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, future, protowire.VarintType), 1))

	if err := composite.Run(t.Context(), page, composite.Required("user", getUser(&userv1.User{UserId: "usr_ada"}))); err != nil {
		t.Fatal(err)
	}

	if err := composite.Decode(page); err != nil || page.GetUser().GetUserId() != "usr_ada" || len(page.ProtoReflect().GetUnknown()) == 0 {
		t.Errorf("page = %v, error %v", page, err)
	}
}

// Each is an error of the whole page, even though the branch is optional.
func TestForwardMisuse(t *testing.T) {
	t.Parallel()

	page := &dashboardv1.Dashboard{}
	ada := getUser(&userv1.User{UserId: "usr_ada"})

	for name, tt := range map[string]struct {
		page   proto.Message
		branch *composite.Branch
		want   string
	}{
		"other_type": {
			&dashboardv1.Dashboard{}, composite.Optional("profile", ada),
			"branch profile: the field is profile.v1.Profile, and the reply user.v1.User",
		},
		"no_such_list": {
			&dashboardv1.Dashboard{}, composite.Optional("orders", ada),
			"branch orders: the field is a list of order.v1.Order, and the reply user.v1.User has none",
		},
		"two_lists": {
			&descriptorpb.FileDescriptorProto{}, composite.Required("extension", composite.Forward(
				returning[*orderv1.GetOrderRequest](&descriptorpb.DescriptorProto{}), &orderv1.GetOrderRequest{})),
			"branch extension: the reply google.protobuf.DescriptorProto has more than one list of google.protobuf.FieldDescriptorProto",
		},
		"no_message": {
			&userv1.User{}, composite.Required("user_id", ada),
			"branch user_id: a reply cannot be forwarded to a field that is no message and no list of messages",
		},
		"twice": {
			&dashboardv1.Dashboard{}, composite.Optional("user", func(ctx context.Context) error {
				return errors.Join(ada(ctx), ada(ctx))
			}),
			"branch user: two replies for one field",
		},
		"set_as_well": {
			page, composite.Optional("user", func(ctx context.Context) error {
				page.User = &userv1.User{}

				return ada(ctx)
			}),
			"branch user: the field is both set and forwarded",
		},
		"no_reply": {
			&dashboardv1.Dashboard{}, composite.Optional("user", composite.Forward(
				func(context.Context, *userv1.GetUserRequest, ...grpc.CallOption) (*userv1.User, error) {
					return nil, nil //nolint:nilnil // That is what is tested.
				}, &userv1.GetUserRequest{})),
			"branch user: the call returned neither a reply nor an error",
		},
		"context_of_no_branch": {
			&dashboardv1.Dashboard{}, composite.Optional("user", func(context.Context) error { return ada(context.Background()) }),
			"outside of a branch",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if err := composite.Run(t.Context(), tt.page, tt.branch); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// What is no protobuf fails its branch alone.
func TestForwardedReplyIsNotValid(t *testing.T) {
	t.Parallel()

	garbage := func(reply proto.Message) {
		reply.ProtoReflect().SetUnknown([]byte{0x0a, 0x7f, 'x'})
	}
	user := composite.Forward(func(context.Context, *userv1.GetUserRequest, ...grpc.CallOption) (*userv1.User, error) {
		reply := &userv1.User{}
		garbage(reply)

		return reply, nil
	}, &userv1.GetUserRequest{})
	orders := composite.Forward(
		func(context.Context, *orderv1.ListOrdersRequest, ...grpc.CallOption) (*orderv1.ListOrdersResponse, error) {
			reply := &orderv1.ListOrdersResponse{}
			garbage(reply)

			return reply, nil
		}, &orderv1.ListOrdersRequest{})
	profile := composite.Forward(returning[*profilev1.GetProfileRequest](&profilev1.Profile{UserId: "usr_ada"}), &profilev1.GetProfileRequest{})

	page := &dashboardv1.Dashboard{}
	if err := composite.Run(t.Context(), page,
		composite.Optional("user", user), composite.Optional("orders", orders), composite.Required("profile", profile)); err != nil {
		t.Fatal(err)
	}

	const text = "something went wrong on our side"

	want := &dashboardv1.Dashboard{Profile: &profilev1.Profile{UserId: "usr_ada"}, PartialErrors: []*porticov1.PartialError{
		{Part: "user", Code: code.Code_INTERNAL, Message: text}, {Part: "orders", Code: code.Code_INTERNAL, Message: text},
	}}
	compareJSON(t, page, want)

	err := composite.Run(t.Context(), &dashboardv1.Dashboard{}, composite.Required("user", user))
	if err == nil || !strings.Contains(err.Error(), "branch user: the reply is not a valid user.v1.User") {
		t.Errorf("error = %v", err)
	}
}
