package mock

import (
	"fmt"
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

	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	"github.com/portico-gateway/portico/gen"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// today is a day like any other.
func today() time.Time { return time.Date(2026, time.March, 14, 0, 0, 0, 0, time.UTC) }

func testAnswers(tb testing.TB) *answers {
	tb.Helper()

	made, err := newAnswers(today())
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

// ask answers a request as alice's.
func ask[T proto.Message](tb testing.TB, made *answers, rpc protoreflect.FullName, request proto.Message) T {
	tb.Helper()

	k := asked{caller: "alice"}
	if request != nil {
		k.request = request.ProtoReflect()
	}

	answer, err := made.answer(method(tb, rpc), k, 0)
	if err != nil {
		tb.Fatal(err)
	}

	return answer.(T)
}

// requestOf has the number in each of its strings, so that each is another.
func requestOf(m protoreflect.MethodDescriptor, n int) protoreflect.Message {
	request := newMessage(m, m.Input())

	for i := range m.Input().Fields().Len() {
		field := m.Input().Fields().Get(i)
		if field.Kind() == protoreflect.StringKind && field.Cardinality() != protoreflect.Repeated && field.Name() != "page_token" &&
			field.ContainingOneof() == nil {
			request.Set(field, protoreflect.ValueOfString(fmt.Sprintf("n%d", n)))

			break
		}
	}

	return request
}

func TestAnswersKeepTheirRulesAndStayTheSame(t *testing.T) {
	t.Parallel()

	const all = 50

	made, other := testAnswers(t), testAnswers(t)

	for _, m := range methods(t) {
		t.Run(string(m.FullName()), func(t *testing.T) {
			t.Parallel()

			seen, seeds := map[string]bool{}, all

			switch {
			case m.Parent().Name() == "EveryService" && m.Name() != "Echo":
				// The same large message again.
				seeds = 5
			case pagedField(m) != nil:
				// A list has dozens of what others have one of.
				seeds = 5
			}

			for n := range seeds {
				k := asked{request: requestOf(m, n), caller: "alice"}

				answer, err := made.answer(m, k, 0)
				if err != nil {
					t.Fatal(err)
				}

				if err := protovalidate.Validate(answer); err != nil {
					t.Fatalf("%d: %v", n, err)
				}

				if _, err := proto.Marshal(answer); err != nil {
					t.Fatalf("%d: %v", n, err)
				}

				plausible(t, answer.ProtoReflect())

				text, _ := proto.MarshalOptions{Deterministic: true}.Marshal(answer)
				seen[string(text)] = true

				if n%10 > 0 {
					continue
				}

				again, err := other.answer(m, k, 0)
				if err != nil || !proto.Equal(answer, again) {
					t.Fatalf("%d: another answer: %v\n%s", n, err, cmp.Diff(answer, again, protocmp.Transform()))
				}
			}

			if m.Output().Fields().Len() > 0 && hasText(m) && len(seen) < seeds*9/10 {
				t.Errorf("only %d different answers", len(seen))
			}
		})
	}
}

// hasText reports whether requestOf makes different requests.
func hasText(m protoreflect.MethodDescriptor) bool {
	return !proto.Equal(requestOf(m, 0).Interface(), requestOf(m, 1).Interface())
}

// plausible checks what names promise, in all messages.
func plausible(tb testing.TB, msg protoreflect.Message) {
	tb.Helper()

	var created, updated time.Time

	msg.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap() || field.IsList() && field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				plausible(tb, value.List().Get(i).Message())
			}
		case field.Message() != nil && field.Message().FullName() == timestamp:
			at := instant(value)
			if at.After(today()) || at.Before(today().Add(-366*day)) {
				tb.Errorf("%s is %v", field.FullName(), at)
			}

			switch field.Name() {
			case "create_time":
				created = at
			case "update_time":
				updated = at
			}
		case field.Message() != nil:
			plausible(tb, value.Message())
		case field.Kind() == protoreflect.EnumKind && value.Enum() == 0 && field.Enum().FullName() != "google.protobuf.NullValue":
			tb.Errorf("%s says nothing", field.FullName())
		case field.Kind() == protoreflect.StringKind && value.String() == "":
			tb.Errorf("%s is empty", field.FullName())
		}

		return true
	})

	if !created.IsZero() && !updated.IsZero() && updated.Before(created) {
		tb.Errorf("%s was updated at %v, before it was created at %v", msg.Descriptor().FullName(), updated, created)
	}
}

func TestAListAndWhatIsReadByItsIdentifiersAgree(t *testing.T) {
	t.Parallel()

	made := testAnswers(t)
	list := ask[*orderv1.ListOrdersResponse](t, made, "order.v1.OrderService.ListOrders",
		&orderv1.ListOrdersRequest{UserId: "alice", PageSize: 3})

	for _, listed := range list.GetOrders() {
		read := ask[*orderv1.Order](t, made, "order.v1.OrderService.GetOrder", &orderv1.GetOrderRequest{OrderId: listed.GetOrderId()})
		if diff := cmp.Diff(listed, read, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}

		if !strings.HasPrefix(read.GetOrderId(), "ord_") || read.GetUserId() != "alice" {
			t.Errorf("%v", read)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()

	made := testAnswers(t)
	request := &orderv1.ListOrdersRequest{UserId: "alice", PageSize: 100, Status: orderv1.OrderStatus_ORDER_STATUS_PAID}
	list := func() *orderv1.ListOrdersResponse {
		return ask[*orderv1.ListOrdersResponse](t, made, "order.v1.OrderService.ListOrders", request)
	}

	whole := list()
	if got := len(whole.GetOrders()); got != int(whole.GetTotalSize()) || got < leastItems || whole.GetNextPageToken() != "" {
		t.Fatalf("%d of %d, then %q", got, whole.GetTotalSize(), whole.GetNextPageToken())
	}

	var paged []*orderv1.Order

	for request.PageSize = 3; ; {
		page := list()
		paged = append(paged, page.GetOrders()...)

		if page.GetTotalSize() != whole.GetTotalSize() {
			t.Errorf("total %d", page.GetTotalSize())
		}

		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			break
		}

		if len(page.GetOrders()) != 3 {
			t.Fatalf("%d on a page", len(page.GetOrders()))
		}
	}

	if diff := cmp.Diff(whole.GetOrders(), paged, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}

	for i, order := range paged {
		if order.GetStatus() != orderv1.OrderStatus_ORDER_STATUS_PAID {
			t.Errorf("a filter was not kept: %v", order)
		}

		if i > 0 && order.GetCreateTime().AsTime().After(paged[i-1].GetCreateTime().AsTime()) {
			t.Errorf("%d is newer than what is before it", i)
		}
	}

	_, err := made.answer(method(t, "order.v1.OrderService.ListOrders"),
		asked{request: (&orderv1.ListOrdersRequest{PageToken: "mine"}).ProtoReflect()}, 0)
	if err == nil || !strings.Contains(err.Error(), "InvalidArgument") {
		t.Errorf("a token of somebody else: %v", err)
	}
}

func TestWhatIsSentComesBack(t *testing.T) {
	t.Parallel()

	made := testAnswers(t)

	created := ask[*orderv1.Order](t, made, "order.v1.OrderService.CreateOrder", &orderv1.CreateOrderRequest{
		Items: []*orderv1.LineItem{{
			Sku: "TEA-1", Title: "Tea", Quantity: 3, UnitPrice: &moneyv1.Money{CurrencyCode: "EUR", Units: 4},
		}},
		Note: new("ring twice"),
	})
	if created.GetNote() != "ring twice" || len(created.GetItems()) != 1 || created.GetItems()[0].GetSku() != "TEA-1" ||
		created.GetUserId() != "alice" || created.GetOrderId() == "" {
		t.Errorf("%v", created)
	}

	updated := ask[*userv1.User](t, made, "user.v1.UserService.UpdateUser", &userv1.UpdateUserRequest{
		UserId: "usr_7", User: &userv1.User{DisplayName: "Ada", UserId: "not this"},
		UpdateMask: mask("display_name", "phone"),
	})
	if updated.GetUserId() != "usr_7" || updated.GetDisplayName() != "Ada" || updated.Phone != nil || updated.GetEmail() == "" {
		t.Errorf("%v", updated)
	}

	every := ask[*everyv1.Every](t, made, "every.v1.EveryService.Echo",
		&everyv1.Every{Choice: &everyv1.Every_ChoiceInt32{ChoiceInt32: 7}, Strings: []string{"a", "b", "c", "d"}})
	if every.GetChoiceInt32() != 7 || !slices.Equal(every.GetStrings(), []string{"a", "b", "c", "d"}) {
		t.Errorf("%v", every)
	}
}

func TestAnAnswerIsWhatTheMethodDid(t *testing.T) {
	t.Parallel()

	made := testAnswers(t)

	for rpc, want := range map[protoreflect.FullName]orderv1.OrderStatus{
		"order.v1.OrderService.CancelOrder":   orderv1.OrderStatus_ORDER_STATUS_CANCELLED,
		"order.v1.OrderService.MarkOrderPaid": orderv1.OrderStatus_ORDER_STATUS_PAID,
		"order.v1.OrderService.CreateOrder":   orderv1.OrderStatus_ORDER_STATUS_PENDING,
	} {
		for n := range 10 {
			order := ask[*orderv1.Order](t, made, rpc, requestOf(method(t, rpc), n).Interface())
			if order.GetStatus() != want {
				t.Errorf("%s: %v", rpc, order.GetStatus())
			}
		}
	}
}
