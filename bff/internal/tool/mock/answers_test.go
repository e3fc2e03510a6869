package mock

import (
	"fmt"
	"net/mail"
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
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
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

	answer, err := made.answer(method(tb, rpc), k, 0, 0)
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

	const all = 200

	made, other := testAnswers(t), testAnswers(t)

	for _, m := range methods(t) {
		t.Run(string(m.FullName()), func(t *testing.T) {
			t.Parallel()

			seen, seeds := map[string]bool{}, all

			switch {
			case m.Parent().Name() == "EveryService" && m.Name() != "Echo":
				// The same large message again.
				seeds = 10
			case pagedField(m) != nil:
				// A list has dozens of what others have one of.
				seeds = 20
			}

			for n := range seeds {
				k := asked{request: requestOf(m, n), caller: "alice"}

				answer, err := made.answer(m, k, 0, 0)
				if err != nil {
					t.Fatal(err)
				}

				if err := protovalidate.Validate(answer); err != nil {
					t.Fatalf("%d: %v", n, err)
				}

				if _, err := proto.Marshal(answer); err != nil {
					t.Fatalf("%d: %v", n, err)
				}

				believable(t, answer.ProtoReflect())

				text, _ := proto.MarshalOptions{Deterministic: true}.Marshal(answer)
				seen[string(text)] = true

				if n%10 > 0 {
					continue
				}

				again, err := other.answer(m, k, 0, 0)
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

// hasText tells whether requestOf makes different requests.
func hasText(m protoreflect.MethodDescriptor) bool {
	return !proto.Equal(requestOf(m, 0).Interface(), requestOf(m, 1).Interface())
}

// believable looks at what can be told from names, in all messages.
func believable(tb testing.TB, msg protoreflect.Message) {
	tb.Helper()

	var created, updated time.Time

	msg.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap() || field.IsList() && field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				believable(tb, value.List().Get(i).Message())
			}
		case field.Message() != nil && field.Message().FullName() == "google.protobuf.Timestamp":
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
			believable(tb, value.Message())
		case field.Name() == "email":
			if _, err := mail.ParseAddress(value.String()); err != nil {
				tb.Errorf("%s is %q", field.FullName(), value.String())
			}
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

func TestAUserLooksLikeOne(t *testing.T) {
	t.Parallel()

	made := testAnswers(t)
	user := ask[*userv1.User](t, made, "user.v1.UserService.GetUser", &userv1.GetUserRequest{UserId: "alice"})

	if user.GetUserId() != "alice" || !strings.HasPrefix(user.GetDisplayName(), "Alice ") ||
		!strings.HasPrefix(user.GetEmail(), "alice.") || !strings.HasSuffix(user.GetEmail(), "@example.com") {
		t.Errorf("%v", user)
	}

	if phone := user.GetPhone(); user.Phone != nil && !matches(`^\+[1-9][0-9]{9,13}$`, phone) {
		t.Errorf("phone %q", phone)
	}

	profile := ask[*profilev1.Profile](t, made, "profile.v1.ProfileService.GetProfile", &profilev1.GetProfileRequest{UserId: "alice"})
	at := slices.IndexFunc(places(), func(p place) bool { return p.timeZone == profile.GetTimeZone() })

	if at < 0 || places()[at].locale != profile.GetLocale() {
		t.Errorf("the locale %q does not go with the time zone %q", profile.GetLocale(), profile.GetTimeZone())
	}

	if address := profile.GetShippingAddress(); len(address.GetCountryCode()) != 2 || address.GetCity() == "" || len(address.GetLines()) == 0 {
		t.Errorf("%v", address)
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

		for _, item := range read.GetItems() {
			if item.GetUnitPrice().GetCurrencyCode() != read.GetTotal().GetCurrencyCode() {
				t.Errorf("two currencies in one order: %v", read)
			}
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
		asked{request: (&orderv1.ListOrdersRequest{PageToken: "mine"}).ProtoReflect()}, 0, 0)
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

	// Once, the total was in a currency of its own.
	for _, currency := range append(currencies(), "JPY") {
		order := ask[*orderv1.Order](t, made, "order.v1.OrderService.CreateOrder", &orderv1.CreateOrderRequest{
			Items: []*orderv1.LineItem{{
				Sku: "TEA-1", Title: "Tea", Quantity: 3, UnitPrice: &moneyv1.Money{CurrencyCode: currency, Units: 4},
			}},
		})
		if got := order.GetTotal(); got.GetCurrencyCode() != currency || got.GetUnits() != 12 {
			t.Errorf("items in %s make %v", currency, got)
		}
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

func TestAnOrderAddsUp(t *testing.T) {
	t.Parallel()

	made := testAnswers(t)

	for n := range 20 {
		order := ask[*orderv1.Order](t, made, "order.v1.OrderService.GetOrder", &orderv1.GetOrderRequest{OrderId: fmt.Sprint(n)})

		var sum, count int64
		for _, item := range order.GetItems() {
			sum += int64(item.GetQuantity()) * cost(item.GetUnitPrice().ProtoReflect())
			count += int64(item.GetQuantity())
		}

		if cost(order.GetTotal().ProtoReflect()) != sum || order.GetTotalQuantity() != count || order.GetTotal().GetNanos() < 0 {
			t.Errorf("%v", order)
		}

		if cancelled := order.GetStatus() == orderv1.OrderStatus_ORDER_STATUS_CANCELLED; !cancelled && order.CancelReason != nil {
			t.Errorf("it is %v because of %q", order.GetStatus(), order.GetCancelReason())
		}
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
