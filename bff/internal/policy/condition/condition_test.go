package condition_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

func orderDescriptor() protoreflect.MessageDescriptor {
	return (&orderv1.CreateOrderRequest{}).ProtoReflect().Descriptor()
}

func record() *reqinfo.Record {
	return &reqinfo.Record{
		Principal: reqinfo.Principal{
			Subject: "alice", Issuer: "https://a.example", Scopes: []string{"orders:write"}, Roles: []string{"buyer"}, Tenant: "acme",
		},
		PathParams: pathtemplate.Values{{Name: "user_id", Text: "alice"}},
	}
}

func request() *orderv1.CreateOrderRequest {
	return &orderv1.CreateOrderRequest{
		UserId: "alice", Items: []*orderv1.LineItem{{Quantity: 2, UnitPrice: &moneyv1.Money{Units: 5}}}, Note: new(""),
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		expression     string
		needs, allowed bool
	}{
		{`true`, false, true},
		{`false`, false, false},
		{`principal.subject == "alice"`, false, true},
		{`principal.subject == path.user_id`, false, true},
		{`path["user_id"] == "bob"`, false, false},
		{`"orders:write" in principal.scopes && "buyer" in principal.roles`, false, true},
		{`principal.tenant.startsWith("ac")`, false, true},
		{`principal.issuer.matches("^https://[a-z]+[.]example$")`, false, true},
		{`request.user_id == principal.subject`, true, true},
		{`request.items.all(i, i.quantity < 3)`, true, true},
		{`request.items.exists(i, i.unit_price.units > 5)`, true, false},
		{`has(request.note) && request.note == ""`, true, true},
		{"has(request.note)\n  && size(request.items) == 1", true, true},
		{`[1, 2].exists(request, request == 2)`, true, true},
		// What cannot be decided is not allowed.
		{`1 / (size(principal.scopes) - 1) == 1`, false, false},
		{`request.labels["colour"] == "red"`, true, false},
		{`timestamp(principal.subject) > timestamp("2020-01-01T00:00:00Z")`, false, false},
		{`request.items.all(a, lists())`, true, false},
	} {
		t.Run(row.expression, func(t *testing.T) {
			t.Parallel()

			c, err := condition.Compile(row.expression, orderDescriptor(), []string{"user_id"})
			if strings.Contains(row.expression, "lists()") {
				if err == nil {
					t.Error("an unknown function compiles")
				}

				return
			}

			if err != nil {
				t.Fatal(err)
			}

			if c.NeedsRequest() != row.needs {
				t.Errorf("NeedsRequest() is %t", c.NeedsRequest())
			}

			if err := c.Allows(t.Context(), record(), request()); (err == nil) != row.allowed {
				t.Errorf("Allows: %v", err)
			}

			if err := c.Allows(t.Context(), record(), nil); row.needs && err == nil {
				t.Error("it allows a request that is not there")
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()

	for expression, want := range map[string]string{
		``:                                "Syntax error: mismatched input end of the expression (column 0 of the expression)",
		`principal.subject`:               "not a bool but a string",
		`principal.name == "a"`:           "undefined field 'name' (column 10 of the expression)",
		`request.colour == "red"`:         "undefined field 'colour' (column 8 of the expression)",
		`user == "alice"`:                 "undeclared reference to 'user' (column 1 of the expression)",
		`principal.subject == 1`:          "no matching overload",
		"true &&\n  path.order_id == ''":  `the path has no variable "order_id"`,
		`path["order_id"] == ""`:          `the path has no variable "order_id"`,
		`has(path.order_id)`:              `the path has no variable "order_id"`,
		`request.items[0].quantity == ""`: "no matching overload",
		`true &&`:                         "(column 8 of the expression)",
		"true &&\n  nobody":               "(line 2, column 3 of the expression)",
		strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200): "recursion",
		strings.Repeat(" ", 5000) + "true":                           "longer than 4096 bytes",
	} {
		if _, err := condition.Compile(expression, orderDescriptor(), []string{"user_id"}); err == nil ||
			!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: %v, want %s", expression, err, want)
		}
	}
}

// Once, a condition took half a second before it was too much.
//
// It is not parallel, because it measures memory.
func TestQuadraticConditionIsCheap(t *testing.T) { //nolint:paralleltest // See above.
	for _, expression := range []string{
		`request.items.all(a, request.items.all(b, a.sku + b.title != 'x'))`,
		`request.items.map(a, request.items.filter(b, a.sku == b.sku).size()).size() > 0`,
		`request.items.all(a, a.attributes.all(k, request.items.all(b, k in b.attributes)))`,
	} {
		c, err := condition.Compile(expression, orderDescriptor(), nil)
		if err != nil {
			t.Fatal(err)
		}

		many := &orderv1.CreateOrderRequest{}
		for range 2000 {
			many.Items = append(many.Items, &orderv1.LineItem{Quantity: 1, Sku: "a", Title: "b", Attributes: map[string]string{"a": "b"}})
		}

		var before, after runtime.MemStats

		runtime.ReadMemStats(&before)

		err = c.Allows(t.Context(), record(), many)

		runtime.ReadMemStats(&after)

		if err == nil || errors.Is(err, condition.ErrFalse) {
			t.Errorf("%s: %v, want the cost limit", expression, err)
		}

		if took := after.TotalAlloc - before.TotalAlloc; took > 6<<20 {
			t.Errorf("%s: takes %d bytes", expression, took)
		}
	}
}

func TestConditionEndsWithTheRequest(t *testing.T) {
	t.Parallel()

	c, err := condition.Compile(`request.items.all(a, a.quantity > 0)`, orderDescriptor(), nil)
	if err != nil {
		t.Fatal(err)
	}

	many := &orderv1.CreateOrderRequest{}
	for range 1000 {
		many.Items = append(many.Items, &orderv1.LineItem{Quantity: 1})
	}

	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Allows(ctx, record(), many); err != nil {
		t.Error(err)
	}

	cancel()

	if err := c.Allows(ctx, record(), many); err == nil || errors.Is(err, condition.ErrFalse) {
		t.Errorf("got %v", err)
	}

	if c, err = condition.Compile(`principal.subject != ""`, orderDescriptor(), nil); err != nil {
		t.Fatal(err)
	}

	if err := c.Allows(ctx, record(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("without a loop: got %v", err)
	}
}

func TestAllowsBoundsItsCost(t *testing.T) {
	t.Parallel()

	c, err := condition.Compile(`request.items.all(a, request.items.all(b, request.items.all(c, a.quantity <= b.quantity + c.quantity)))`,
		orderDescriptor(), nil)
	if err != nil {
		t.Fatal(err)
	}

	many := &orderv1.CreateOrderRequest{}
	for range 1000 {
		many.Items = append(many.Items, &orderv1.LineItem{Quantity: 1})
	}

	if err := c.Allows(t.Context(), record(), many); err == nil || errors.Is(err, condition.ErrFalse) {
		t.Errorf("got %v, want the cost limit", err)
	}

	if err := c.Allows(t.Context(), record(), request()); err != nil {
		t.Error(err)
	}
}

// At generation, descriptors are not those that are linked.
func TestDynamicDescriptor(t *testing.T) {
	t.Parallel()

	dynamic := dynamicpb.NewMessage(orderDescriptor())

	wire, err := proto.Marshal(request())
	if err != nil {
		t.Fatal(err)
	}

	if err := proto.Unmarshal(wire, dynamic); err != nil {
		t.Fatal(err)
	}

	c, err := condition.Compile(`request.items[0].unit_price.units == 5`, dynamic.ProtoReflect().Descriptor(), nil)
	if err != nil {
		t.Fatal(err)
	}

	if err := c.Allows(t.Context(), record(), dynamic); err != nil {
		t.Error(err)
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`true`, `principal.subject == path.user_id`, `request.items.all(i, i.quantity < 3)`, `has(request.note)`, `[1].map(x, x*2) == [2]`,
		`request.labels["a"] == "b"`, `"a".matches("(a+)+$")`, `{1: 2}[1] == 2`, `duration("1s") < duration("2s")`, `request == request`,
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, expression string) {
		c, err := condition.Compile(expression, orderDescriptor(), []string{"user_id"})
		if err != nil {
			return
		}

		_ = c.Allows(t.Context(), record(), request())

		if err := c.Allows(t.Context(), &reqinfo.Record{}, nil); c.NeedsRequest() && err == nil {
			t.Errorf("%q allows a request that is not there", expression)
		}
	})
}

// Comparing small values has no limit of its cost, since measuring would be most of it; anything that grows with the request has.
func TestCostIsMeasuredWhereClientsChooseIt(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("x", 2<<20)
	large := &orderv1.CreateOrderRequest{Note: &long, UserId: long, Labels: map[string]string{"a": long}}

	for expression, limited := range map[string]bool{
		`request.note == request.user_id`:                           false,
		`request.note != "x" && principal.subject in ["", "alice"]`: false,
		`request.note + request.note != "x"`:                        true,
		`request.note.matches("x+")`:                                true,
		`request.labels["a"] == request.labels["a"]`:                true,
	} {
		c, err := condition.Compile(expression, orderDescriptor(), nil)
		if err != nil {
			t.Fatal(err)
		}

		err = c.Allows(t.Context(), record(), large)
		if got := err != nil && strings.Contains(err.Error(), "cost limit"); got != limited {
			t.Errorf("%s: limited: %v (%v)", expression, got, err)
		}
	}
}

func BenchmarkAllows(b *testing.B) {
	for name, expression := range map[string]string{
		"principal": `principal.subject == path.user_id`,
		"request":   `request.user_id in ["", principal.subject] || "orders:admin" in principal.scopes`,
	} {
		b.Run(name, func(b *testing.B) {
			c, err := condition.Compile(expression, orderDescriptor(), []string{"user_id"})
			if err != nil {
				b.Fatal(err)
			}

			rec, req := record(), request()

			b.ReportAllocs()

			for b.Loop() {
				if err := c.Allows(b.Context(), rec, req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
