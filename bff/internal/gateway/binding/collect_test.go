package binding_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// checked is the binding of the route with this method and template of a service.
func checked(tb testing.TB, message proto.Message, name string) *binding.Binding {
	tb.Helper()

	validator, err := protovalidate.New()
	if err != nil {
		tb.Fatal(err)
	}

	routes, err := schema.Routes(message.ProtoReflect().Descriptor().ParentFile().Services().Get(0))
	if err != nil {
		tb.Fatal(err)
	}

	for _, r := range routes {
		if r.String() == name {
			b, err := binding.Compile(r, binding.Config{Codec: protojson.New(config.JSON{}.WithDefaults()), Validator: validator})
			if err != nil {
				tb.Fatal(err)
			}

			return b
		}
	}

	tb.Fatalf("there is no route %s", name)

	return nil
}

// told are the faults that clients get to read.
func told(tb testing.TB, err error) (faults []string, more bool) {
	tb.Helper()

	found := binding.Faults{}
	if !errors.As(err, &found) {
		tb.Fatalf("%T %v", err, err)
	}

	for _, fault := range found.List {
		faults = append(faults, fault.Name+": "+fault.Reason)
	}

	return faults, found.More
}

// Once, all violations of all elements were collected, also of those beyond the largest number of elements.
//
// It is not parallel, because it measures memory.
func TestViolationsAreBounded(t *testing.T) { //nolint:paralleltest // See above.
	order, check := &orderv1.CreateOrderRequest{}, &everyv1.CheckRequest{ByName: map[string]*everyv1.CheckRequest_Inner{}}
	for i := range 300_000 {
		order.Items = append(order.Items, &orderv1.LineItem{})
		check.InnerList = append(check.InnerList, &everyv1.CheckRequest_Inner{ShortText: "abcd"})

		if i < 10_000 {
			check.ByName[fmt.Sprint(i)] = check.GetInnerList()[i]
		}
	}

	check.Name, check.Note, check.PageSize = "same", "same", 1000
	check.Inner = &everyv1.CheckRequest_Inner{ShortText: "abcd"}

	for _, row := range []struct {
		message proto.Message
		route   string
		first   []string
		total   int
		more    bool
	}{
		{order, "POST /v1/orders", []string{"items: must contain no more than 100 item(s)"}, 1, false},
		{check, "POST /v1/check", []string{
			": the name must not be the note", "pageSize: must be less than or equal to 100", "inner.shortText: must be at most 3 characters",
			"innerList[0].shortText: must be at most 3 characters", "innerList[1].shortText: must be at most 3 characters",
		}, binding.MaxFaults, true},
	} {
		b := checked(t, row.message, row.route)

		var before, after runtime.MemStats

		runtime.ReadMemStats(&before)

		err := b.Validate(t.Context(), row.message)

		runtime.ReadMemStats(&after)

		faults, more := told(t, err)
		if len(faults) != row.total || more != row.more || !slices.Equal(faults[:len(row.first)], row.first) {
			t.Errorf("%s: %d faults, more: %t: %q", row.route, len(faults), more, faults[:min(len(faults), 8)])
		}

		if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
			t.Errorf("%s: takes %d bytes", row.route, took)
		}
	}
}

// All faults of a message that is not large are told, in the order of old.
func TestFaultsOfSmallMessages(t *testing.T) {
	t.Parallel()

	m := &everyv1.CheckRequest{Name: "longer than five", Note: "longer than five", PageSize: 1000}
	for range 10 {
		m.InnerList = append(m.InnerList, &everyv1.CheckRequest_Inner{ShortText: "abcd"})
	}

	faults, more := told(t, checked(t, m, "POST /v1/check").Validate(t.Context(), m))
	if len(faults) != 13 || more || faults[0] != ": the name must not be the note" || faults[12] != "innerList[9].shortText: must be at most 3 characters" {
		t.Errorf("more: %t: %q", more, faults)
	}
}

// Of a large message with few faults all are told, wherever they are.
func TestFaultsOfLargeMessages(t *testing.T) {
	t.Parallel()

	m := &everyv1.CheckRequest{Name: "longer than five", ByName: map[string]*everyv1.CheckRequest_Inner{"k": {ShortText: "abcd"}}}
	for i := range 10_000 {
		m.InnerList = append(m.InnerList, &everyv1.CheckRequest_Inner{ShortText: "abcd"[:3+i/9999]})
	}

	faults, more := told(t, checked(t, m, "POST /v1/check").Validate(t.Context(), m))

	want := []string{
		"name: must be at most 5 characters", "innerList[9999].shortText: must be at most 3 characters",
		`byName["k"].shortText: must be at most 3 characters`,
	}
	if !slices.Equal(faults, want) || more {
		t.Errorf("more: %t: %q", more, faults)
	}
}

func TestValidationEndsWithTheRequest(t *testing.T) {
	t.Parallel()

	m := &everyv1.CheckRequest{}
	for range 10_000 {
		m.InnerList = append(m.InnerList, &everyv1.CheckRequest_Inner{})
	}

	ctx, cancel := context.WithCancel(t.Context())
	b := checked(t, m, "POST /v1/check")

	if err := b.Validate(ctx, m); err != nil {
		t.Error(err)
	}

	cancel()

	if err := b.Validate(ctx, m); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// reads are valid requests as most are: small.
func reads() map[string]proto.Message {
	return map[string]proto.Message{
		"GET /v1/orders/{order_id}":      &orderv1.GetOrderRequest{OrderId: "ord_1"},
		"GET /v1/users/{user_id}/orders": &orderv1.ListOrdersRequest{UserId: "usr_1", PageSize: 20},
	}
}

// It is not parallel, because it measures memory.
func TestValidSmallMessagesCostNoMemory(t *testing.T) { //nolint:paralleltest // See above.
	for route, m := range reads() {
		b := checked(t, m, route)

		if allocations := testing.AllocsPerRun(100, func() {
			if err := b.Validate(t.Context(), m); err != nil {
				t.Error(err)
			}
		}); allocations > 0 {
			t.Errorf("%s: %v allocations", route, allocations)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	for route, m := range reads() {
		b.Run(route, func(b *testing.B) {
			bound := checked(b, m, route)

			b.ReportAllocs()

			for b.Loop() {
				if err := bound.Validate(b.Context(), m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Once, the names of parameters led as deep as they liked, until the stack overflowed.
func TestQueryDepth(t *testing.T) {
	t.Parallel()

	b := bind(t, "GET /v1/every", binding.Config{})

	for query, want := range map[string]string{
		strings.Repeat("every.", 63) + "int32Field=1":   "",
		strings.Repeat("every.", 64) + "int32Field=1":   "is nested more than 64 levels deep",
		strings.Repeat("e.", 520_000) + "id=1":          "is nested more than 64 levels deep",
		strings.Repeat("every.", 64) + "byString[a]=1":  "is nested more than 64 levels deep",
		"fieldMask=" + strings.Repeat("a.", 64) + "a":   "is nested too deep",
		"fieldMask=" + strings.Repeat("a.", 64) + "a_b": "is nested too deep",
		"value=" + strings.Repeat("[", 65):              "the document is nested too deep",
	} {
		got := queryFaults(t, b, query, (&everyv1.Every{}).ProtoReflect())
		if (got == "") != (want == "") || !strings.HasSuffix(got, want) || len(got) > 300 {
			t.Errorf("%.40s…: %q", query, got)
		}
	}
}

// A parameter that is passed over may have any name.
func TestIgnoredParametersMayBeDeep(t *testing.T) {
	t.Parallel()

	b := bind(t, "GET /v1/every", binding.Config{IgnoredParameters: []string{"utm_*"}})
	if _, err := b.Query("utm_"+strings.Repeat("a.", 1000)+"=1", (&everyv1.Every{}).ProtoReflect()); err != nil {
		t.Error(err)
	}
}

func TestFaultsOfQueriesAreBounded(t *testing.T) {
	t.Parallel()

	var query strings.Builder
	for i := range 500 {
		fmt.Fprintf(&query, "x%d=1&", i)
	}

	_, err := bind(t, "GET /v1/every", binding.Config{}).Query(query.String(), (&everyv1.Every{}).ProtoReflect())
	faults, more := told(t, err)
	if len(faults) != binding.MaxFaults || !more {
		t.Errorf("%d faults, more: %t", len(faults), more)
	}
}
