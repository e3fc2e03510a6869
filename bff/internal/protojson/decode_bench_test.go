package protojson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	googlejson "google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

func item(sku, title string, quantity int32, cents int64, attributes map[string]string) *orderv1.LineItem {
	return &orderv1.LineItem{
		Sku: sku, Title: title, Quantity: quantity, Attributes: attributes,
		UnitPrice: &moneyv1.Money{CurrencyCode: "EUR", Units: cents / 100, Nanos: int32(cents%100) * 10_000_000},
	}
}

// listOfOrders is about what the demo's order service answers.
func listOfOrders(n int) *orderv1.ListOrdersResponse {
	list := &orderv1.ListOrdersResponse{TotalSize: int64(n)}

	for i := range n {
		o := &orderv1.Order{
			OrderId: fmt.Sprintf("ord_01jt5m3q8v4x7y2z9w6k%04d", i), UserId: "usr_01jt5m3q8v4x7y2z9w6k5b1c0a",
			Status: orderv1.OrderStatus(1 + i%5), Labels: map[string]string{"channel": "web"}, TotalQuantity: 3,
			Items: []*orderv1.LineItem{
				item("MUG-350-BL", "Stoneware mug, 350 ml", 2, 1490, map[string]string{"colour": "blue"}),
				item("BOOK-BREAD-3", "Bread at home, 3rd edition", 1, 2400, map[string]string{"language": "de"}),
			},
			Total:      &moneyv1.Money{CurrencyCode: "EUR", Units: 53, Nanos: 800_000_000},
			CreateTime: &timestamppb.Timestamp{Seconds: 1_771_000_000 + int64(i)*3600},
			UpdateTime: &timestamppb.Timestamp{Seconds: 1_771_100_000 + int64(i)*3600, Nanos: 250_000_000},
		}
		if i%3 == 0 {
			o.Note = new("Please leave it with the neighbour.")
		}

		list.Orders = append(list.Orders, o)
	}

	return list
}

func createRequest() *orderv1.CreateOrderRequest {
	return &orderv1.CreateOrderRequest{
		UserId: "usr_01jt5m3q8v4x7y2z9w6k5b1c0a",
		Items: []*orderv1.LineItem{
			item("SHOE-CLIMB-40", "Climbing shoes", 1, 12900, map[string]string{"size": "40", "colour": "teal"}),
			item("CHALK-300", "Chalk, 300 g", 2, 895, nil),
			item("NOVEL-ISLAND", "The island, hardcover", 1, 2290, map[string]string{"language": "en"}),
		},
		Note:   new("Please leave it with the neighbour."),
		Labels: map[string]string{"channel": "app", "gift": "yes"},
	}
}

// everything has a value in nearly every field.
func everything(tb testing.TB) *everyv1.Every {
	tb.Helper()

	fields, err := structpb.NewStruct(map[string]any{"a": 1.5, "b": "text", "c": []any{true, nil, "x"}, "d": map[string]any{"e": 2.0}})
	if err != nil {
		tb.Fatal(err)
	}

	packed, err := anypb.New(&everyv1.Every{Int32Field: 1, StringField: "packed"})
	if err != nil {
		tb.Fatal(err)
	}

	return &everyv1.Every{
		BoolField: true, Int32Field: -1, Sint32Field: -2, Sfixed32Field: -3, Uint32Field: 4, Fixed32Field: 5,
		Int64Field: -1 << 60, Sint64Field: -7, Sfixed64Field: -8, Uint64Field: 1 << 63, Fixed64Field: 10,
		FloatField: 1.5, DoubleField: -2.25e-7, StringField: "a \"string\"\nwith äöü and €", BytesField: []byte("some bytes"),
		Color: everyv1.Color_COLOR_RED, Every: &everyv1.Every{Int32Field: 1, Every: &everyv1.Every{StringField: "deep"}},
		OptionalBool: new(false), OptionalInt32: new(int32(0)), OptionalInt64: new(int64(1)), OptionalDouble: new(0.0),
		OptionalString: new(""), OptionalBytes: []byte{}, OptionalColor: everyv1.Color_COLOR_BLUE.Enum(),
		Bools: []bool{true, false}, Int32S: []int32{1, -2, 3}, Int64S: []int64{1, 2, 1 << 50}, Uint64S: []uint64{1, 2},
		Floats: []float32{1, 2.5}, Doubles: []float64{1, 2.5, 1e100}, Strings: []string{"a", "b", "c"},
		ByteStrings: [][]byte{{1}, {2, 3}}, Colors: []everyv1.Color{1, 2, -3}, Everies: []*everyv1.Every{{}, {BoolField: true}},
		ByBool: map[bool]string{true: "t"}, ByInt32: map[int32]string{-1: "a"}, BySint32: map[int32]string{1: "a"},
		ByUint64: map[uint64]string{1: "a"}, ByString: map[string]string{"a": "b", "c": "d"},
		Int64ByString: map[string]int64{"a": 1}, ColorByString: map[string]everyv1.Color{"a": 1},
		EveryByString: map[string]*everyv1.Every{"a": {Int32Field: 1}},
		Choice:        &everyv1.Every_ChoiceEvery{ChoiceEvery: &everyv1.Every{BoolField: true}},
		Timestamp:     &timestamppb.Timestamp{Seconds: 1_771_000_000, Nanos: 5000}, Duration: durationpb.New(1_500_000_000),
		FieldMask: &fieldmaskpb.FieldMask{Paths: []string{"int32_field", "every.string_field"}}, Struct: fields,
		Value: structpb.NewStringValue("v"), ListValue: &structpb.ListValue{Values: []*structpb.Value{structpb.NewNullValue()}},
		Any: packed, BoolWrapper: wrapperspb.Bool(true), Int64Wrapper: wrapperspb.Int64(5), StringWrapper: wrapperspb.String("w"),
		DoubleWrapper: wrapperspb.Double(1), BytesWrapper: wrapperspb.Bytes([]byte("b")),
		Timestamps: []*timestamppb.Timestamp{{Seconds: 1}, {Seconds: 2}}, Values: []*structpb.Value{structpb.NewNumberValue(1)},
		StringWrappers: []*wrapperspb.StringValue{wrapperspb.String("w")}, Renamed: "odd",
	}
}

// BenchmarkDecode compares with protojson. The wire format is what the same message costs where no JSON is read.
func BenchmarkDecode(b *testing.B) {
	for _, bench := range []struct {
		name    string
		message proto.Message
	}{
		{"list", listOfOrders(100)}, {"post", createRequest()}, {"every", everything(b)},
	} {
		text, err := googlejson.Marshal(bench.message)
		if err != nil {
			b.Fatal(err)
		}

		var body bytes.Buffer
		if err := json.Compact(&body, text); err != nil {
			b.Fatal(err)
		}

		wire, err := proto.Marshal(bench.message)
		if err != nil {
			b.Fatal(err)
		}

		codec := protojson.New(config.JSON{}.WithDefaults())

		for _, way := range []struct {
			name   string
			decode func(m proto.Message) error
		}{
			{"codec", func(m proto.Message) error { return codec.Decode(body.Bytes(), m.ProtoReflect(), protojson.Options{}) }},
			{"google", func(m proto.Message) error { return googlejson.Unmarshal(body.Bytes(), m) }},
			{"wire", func(m proto.Message) error { return proto.Unmarshal(wire, m) }},
		} {
			b.Run(bench.name+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(body.Len()))

				for b.Loop() {
					m := bench.message.ProtoReflect().New().Interface()
					if err := way.decode(m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
