package mock

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/dynamicpb"

	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	"github.com/portico-gateway/portico/gen"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func testMaker(tb testing.TB) *maker {
	tb.Helper()

	made, err := newMaker(time.Now)
	if err != nil {
		tb.Fatal(err)
	}

	return made
}

// methods are those of all services of ours and of the one with fields of every type.
func methods(tb testing.TB) []protoreflect.MethodDescriptor {
	tb.Helper()

	names := []string{"every.v1.EveryService"}
	for _, service := range gen.Services() {
		names = append(names, service.Name)
	}

	var all []protoreflect.MethodDescriptor

	for _, name := range names {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			tb.Fatal(err)
		}

		service := found.(protoreflect.ServiceDescriptor)
		for i := range service.Methods().Len() {
			all = append(all, service.Methods().Get(i))
		}
	}

	return all
}

func method(tb testing.TB, name protoreflect.FullName) protoreflect.MethodDescriptor {
	tb.Helper()

	found, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		tb.Fatal(err)
	}

	return found.(protoreflect.MethodDescriptor)
}

// reply is the reply to a request, as the generated type.
func reply[T proto.Message](tb testing.TB, rpc protoreflect.FullName, request proto.Message) T {
	tb.Helper()

	dynamic, err := testMaker(tb).reply(method(tb, rpc), decode(tb, request, method(tb, rpc).Input()), 7)
	if err != nil {
		tb.Fatal(err)
	}

	var typed T

	typed = typed.ProtoReflect().New().Interface().(T)

	encoded, err := proto.Marshal(dynamic)
	if err != nil {
		tb.Fatal(err)
	}

	if err := proto.Unmarshal(encoded, typed); err != nil {
		tb.Fatal(err)
	}

	return typed
}

// decode is a message as the server decodes it.
func decode(tb testing.TB, from proto.Message, md protoreflect.MessageDescriptor) protoreflect.Message {
	tb.Helper()

	encoded, err := proto.Marshal(from)
	if err != nil {
		tb.Fatal(err)
	}

	into := dynamicpb.NewMessage(md)
	if err := proto.Unmarshal(encoded, into); err != nil {
		tb.Fatal(err)
	}

	return into
}

func TestRepliesMeetTheirRulesAndStayTheSame(t *testing.T) {
	t.Parallel()

	made, other := testMaker(t), testMaker(t)

	for _, m := range methods(t) {
		t.Run(string(m.FullName()), func(t *testing.T) {
			t.Parallel()

			for n := range 10 {
				reply, err := made.reply(m, dynamicpb.NewMessage(m.Input()), n)
				if err != nil {
					t.Fatal(err)
				}

				if err := protovalidate.Validate(reply); err != nil {
					t.Fatalf("%d: %v", n, err)
				}

				if _, err := proto.Marshal(reply); err != nil {
					t.Fatalf("%d: %v", n, err)
				}

				complete(t, reply.ProtoReflect())

				again, err := other.reply(m, dynamicpb.NewMessage(m.Input()), n)
				if err != nil || !proto.Equal(reply, again) {
					t.Fatalf("%d: another reply: %v\n%s", n, err, cmp.Diff(reply, again, protocmp.Transform()))
				}
			}
		})
	}
}

// complete checks that what is set has a value that a reader can tell from an unset one.
func complete(tb testing.TB, msg protoreflect.Message) {
	tb.Helper()

	if msg.Descriptor().Fields().Len() == 0 {
		return
	}

	msg.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap() || field.IsList() && field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				complete(tb, value.List().Get(i).Message())
			}
		case field.Message() != nil:
			complete(tb, value.Message())
		case field.Kind() == protoreflect.EnumKind && value.Enum() == 0 && field.Enum().FullName() != "google.protobuf.NullValue":
			tb.Errorf("%s is unspecified", field.FullName())
		case field.Kind() == protoreflect.StringKind && value.String() == "":
			tb.Errorf("%s is empty", field.FullName())
		}

		return true
	})
}

func TestAListAndWhatIsReadByItsIdentifiersAgree(t *testing.T) {
	t.Parallel()

	list := reply[*orderv1.ListOrdersResponse](t, "order.v1.OrderService.ListOrders",
		&orderv1.ListOrdersRequest{UserId: "alice", PageSize: 3})

	for _, listed := range list.GetOrders() {
		read := reply[*orderv1.Order](t, "order.v1.OrderService.GetOrder", &orderv1.GetOrderRequest{OrderId: listed.GetOrderId()})
		if diff := cmp.Diff(listed, read, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}

		if !strings.HasPrefix(read.GetOrderId(), "order-id-") || read.GetUserId() != "alice" {
			t.Errorf("%v", read)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()

	request := &orderv1.ListOrdersRequest{UserId: "alice", PageSize: 100, Status: orderv1.OrderStatus_ORDER_STATUS_PAID}
	list := func() *orderv1.ListOrdersResponse {
		return reply[*orderv1.ListOrdersResponse](t, "order.v1.OrderService.ListOrders", request)
	}

	all := list()
	if got := len(all.GetOrders()); got != int(all.GetTotalSize()) || got != listed || all.GetNextPageToken() != "" {
		t.Fatalf("%d of %d, then %q", got, all.GetTotalSize(), all.GetNextPageToken())
	}

	var paged []*orderv1.Order

	for request.PageSize = 3; ; {
		page := list()
		paged = append(paged, page.GetOrders()...)

		if page.GetTotalSize() != all.GetTotalSize() {
			t.Errorf("total %d", page.GetTotalSize())
		}

		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			break
		}

		if len(page.GetOrders()) != 3 {
			t.Fatalf("%d on a page", len(page.GetOrders()))
		}
	}

	if diff := cmp.Diff(all.GetOrders(), paged, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}

	for _, order := range paged {
		if order.GetStatus() != orderv1.OrderStatus_ORDER_STATUS_PAID {
			t.Errorf("the filter has no effect: %v", order)
		}
	}

	rpc := method(t, "order.v1.OrderService.ListOrders")

	_, err := testMaker(t).reply(rpc, decode(t, &orderv1.ListOrdersRequest{PageToken: "mine"}, rpc.Input()), 0)
	if err == nil || !strings.Contains(err.Error(), "InvalidArgument") {
		t.Errorf("a token of somebody else: %v", err)
	}
}

func TestWhatIsSentComesBack(t *testing.T) {
	t.Parallel()

	created := reply[*orderv1.Order](t, "order.v1.OrderService.CreateOrder", &orderv1.CreateOrderRequest{
		Items: []*orderv1.LineItem{{
			Sku: "TEA-1", Title: "Tea", Quantity: 3, UnitPrice: &moneyv1.Money{CurrencyCode: "EUR", Units: 4},
		}},
		Note: new("ring twice"), Labels: map[string]string{"color": "green"},
	})
	if created.GetNote() != "ring twice" || !maps.Equal(created.GetLabels(), map[string]string{"color": "green"}) || len(created.GetItems()) != 1 || created.GetItems()[0].GetSku() != "TEA-1" ||
		created.GetUserId() != "alice" || created.GetOrderId() == "" {
		t.Errorf("%v", created)
	}

	updated := reply[*userv1.User](t, "user.v1.UserService.UpdateUser", &userv1.UpdateUserRequest{
		UserId: "usr_7", User: &userv1.User{DisplayName: "Ada", UserId: "not this"},
		UpdateMask: mask("display_name", "phone"),
	})
	if updated.GetUserId() != "usr_7" || updated.GetDisplayName() != "Ada" || updated.GetEmail() == "" {
		t.Errorf("%v", updated)
	}

	every := reply[*everyv1.Every](t, "every.v1.EveryService.Echo",
		&everyv1.Every{Choice: &everyv1.Every_ChoiceInt32{ChoiceInt32: 7}, Strings: []string{"a", "b", "c", "d"}})
	if every.GetChoiceInt32() != 7 || !slices.Equal(every.GetStrings(), []string{"a", "b", "c", "d"}) {
		t.Errorf("%v", every)
	}
}
