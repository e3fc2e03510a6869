package protojson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	googlejson "google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// orders is a page of orders, about as backends answer.
func orders(n int) *orderv1.ListOrdersResponse {
	page := &orderv1.ListOrdersResponse{NextPageToken: "b3JkXzEwMA", TotalSize: 1234}

	for i := range n {
		page.Orders = append(page.Orders, &orderv1.Order{
			OrderId: fmt.Sprintf("ord_%020d", i), UserId: "usr_alice", Status: orderv1.OrderStatus_ORDER_STATUS_PAID,
			Items: []*orderv1.LineItem{
				{Sku: "SKU-1001", Title: "Coffee beans, 1 kg", Quantity: 2, UnitPrice: &moneyv1.Money{CurrencyCode: "EUR", Units: 18, Nanos: 900000000}},
				{Sku: "SKU-2002", Title: "Filter papers", Quantity: 1, UnitPrice: &moneyv1.Money{CurrencyCode: "EUR", Units: 4}},
			},
			Total: &moneyv1.Money{CurrencyCode: "EUR", Units: 41, Nanos: 800000000}, TotalQuantity: 3,
			Labels:     map[string]string{"channel": "web", "campaign": "autumn"},
			CreateTime: timestamppb.New(time.Date(2026, 11, 1, 12, 0, i%60, 123456000, time.UTC)),
			UpdateTime: timestamppb.New(time.Date(2026, 11, 2, 12, 0, i%60, 0, time.UTC)),
		})
	}

	return page
}

func marshal(tb testing.TB, m proto.Message) []byte {
	tb.Helper()

	wire, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}

	return wire
}

func TestSameAsProtojson(t *testing.T) {
	t.Parallel()

	same(t, kinds[4], marshal(t, orders(3)), plain, defaults, protoNames)

	random := rand.New(rand.NewPCG(1, 2))

	const rounds = 20000
	for range rounds {
		chosen := make([]byte, 20+random.IntN(400))
		for i := range chosen {
			chosen[i] = byte(random.UintN(256))
		}

		kind := kinds[random.IntN(len(kinds))]
		same(t, kind, (*choices)(&chosen).message(kind.Descriptor(), 4), random.IntN(len(writers)))
	}
}

func TestMessagesAreWritten(t *testing.T) {
	t.Parallel()

	m := orders(2)

	got, err := writers[0].Append([]byte("before "), m, false)
	if err != nil {
		t.Fatal(err)
	}

	text, err := googlejson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}

	want := bytes.NewBufferString("before ")
	if err := json.Compact(want, text); err != nil {
		t.Fatal(err)
	}

	if string(got) != want.String() {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// Each level has its fields the wrong way round. What is written twice on each would be written 2^n times, and what is copied on each
// as often as there are levels.
func TestDeepDisorder(t *testing.T) { //nolint:paralleltest // It counts.
	const (
		deep = 3000
		size = 1 << 17
		// The stack of records grows with the levels.
		most = 16 * size
	)

	wire := protowire.AppendString(protowire.AppendTag(nil, 14, protowire.BytesType), strings.Repeat("a", size))
	for range deep {
		inner := protowire.AppendBytes(protowire.AppendTag(nil, 17, protowire.BytesType), wire)
		wire = protowire.AppendVarint(protowire.AppendTag(inner, 1, protowire.VarintType), 1)
	}

	same(t, kinds[0], wire, plain)

	var before, after runtime.MemStats

	runtime.ReadMemStats(&before)

	if _, err := writers[0].Append(make([]byte, 0, 2*size), undecoded(kinds[0], wire), false); err != nil {
		t.Fatal(err)
	}

	runtime.ReadMemStats(&after)

	if got := after.TotalAlloc - before.TotalAlloc; got > most {
		t.Errorf("%d bytes of memory for %d", got, size)
	}
}

func TestTooDeep(t *testing.T) {
	t.Parallel()

	for _, deep := range []int{9998, 10001} {
		var wire []byte
		for range deep {
			wire = protowire.AppendBytes(protowire.AppendTag(nil, 17, protowire.BytesType), wire)
		}

		same(t, kinds[0], wire, plain)
	}
}

func TestNothingIsAllocated(t *testing.T) { //nolint:paralleltest // It counts.
	page, w := orders(100), protojson.New(config.JSON{EmitDefaults: true}.WithDefaults())
	m := undecoded(page.ProtoReflect().Type(), marshal(t, page))

	var out []byte

	if n := testing.AllocsPerRun(50, func() {
		var err error
		if out, err = w.Append(out[:0], m, false); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 && !raceDetector {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	every := &everyv1.Every{
		Int32Field: 5, StringField: "some text", Every: &everyv1.Every{DoubleField: 1.5}, Int64S: []int64{1, 2, 3}, Strings: []string{"a", "b"},
		ByString: map[string]string{"a": "b", "c": "d"}, Choice: &everyv1.Every_ChoiceString{ChoiceString: "it"},
		Timestamp: timestamppb.New(time.Unix(1700000000, 5000000)), Renamed: "last",
	}

	for _, tt := range []struct {
		name    string
		message proto.Message
	}{
		{"list", orders(100)},
		{"small", orders(1).GetOrders()[0]},
		{"every", every},
	} {
		w := protojson.New(config.JSON{EmitDefaults: true}.WithDefaults())
		wire := marshal(b, tt.message)
		left := undecoded(tt.message.ProtoReflect().Type(), wire)
		out := make([]byte, 0, 1<<20)

		b.Run(tt.name+"/wire", func(b *testing.B) {
			b.ReportAllocs()

			for b.Loop() {
				if _, err := w.Append(out, left, false); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(tt.name+"/message", func(b *testing.B) {
			b.ReportAllocs()

			for b.Loop() {
				if _, err := w.Append(out, tt.message, false); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(tt.name+"/protojson", func(b *testing.B) {
			b.ReportAllocs()

			for b.Loop() {
				if _, err := (googlejson.MarshalOptions{EmitDefaultValues: true}).MarshalAppend(out, tt.message); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(tt.name+"/unmarshal_protojson", func(b *testing.B) {
			b.ReportAllocs()

			for b.Loop() {
				m := tt.message.ProtoReflect().New().Interface()
				if err := proto.Unmarshal(wire, m); err != nil {
					b.Fatal(err)
				}

				if _, err := (googlejson.MarshalOptions{EmitDefaultValues: true}).MarshalAppend(out, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
