package protojson_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

func TestDecoderTakesOneDocument(t *testing.T) {
	t.Parallel()

	note := "mind the dog"

	tests := []struct {
		name string
		body string
		want *orderv1.CreateOrderRequest
	}{
		{"empty_document", `{}`, &orderv1.CreateOrderRequest{}},
		{"json_names", `{"userId": "usr_1"}`, &orderv1.CreateOrderRequest{UserId: "usr_1"}},
		{"proto_names", `{"user_id": "usr_1"}`, &orderv1.CreateOrderRequest{UserId: "usr_1"}},
		{"space_around_it", " \n{\"userId\": \"usr_1\"}\r\n\t ", &orderv1.CreateOrderRequest{UserId: "usr_1"}},
		{"null_is_unset", `{"note": null}`, &orderv1.CreateOrderRequest{}},
		{"empty_optional_is_set", `{"note": ""}`, &orderv1.CreateOrderRequest{Note: new("")}},
		{"nested", `{"items": [{"quantity": 2}], "note": "mind the dog"}`, &orderv1.CreateOrderRequest{
			Items: []*orderv1.LineItem{{Quantity: 2}}, Note: &note,
		}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			// One byte at a time: bodies come in pieces.
			got := &orderv1.CreateOrderRequest{}
			if err := protojson.New(config.JSON{}.WithDefaults()).NewDecoder(iotest.OneByteReader(strings.NewReader(tt.body))).Decode(got); err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(tt.want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecoderRefuses(t *testing.T) {
	t.Parallel()

	tests := []struct{ name, body, want string }{
		{"unknown_field", `{"userId": "usr_1", "colour": "red"}`, `colour: unknown field`},
		{"unknown_field_within", `{"items": [{"colour": "red"}]}`, `items[0].colour: unknown field`},
		{"trailing_garbage", `{"userId": "usr_1"}garbage`, "not one JSON document: unexpected data after the document at byte 20"},
		{"trailing_brace", `{"userId": "usr_1"}}`, "not one JSON document"},
		{"trailing_nul", "{}\x00", "not one JSON document"},
		{"second_document", `{"userId": "usr_1"}{"userId": "usr_2"}`, "not one JSON document"},
		{"second_document_on_a_line_of_its_own", "{}\n{}", "not one JSON document"},
		{"byte_order_mark", "\uFEFF{}", "not one JSON document"},
		{"half_a_document", `{"userId": "usr`, "not one JSON document: the document ends too early"},
		{"only_space", " \n ", "not one JSON document"},
		{"field_given_twice", `{"userId": "usr_1", "userId": "usr_2"}`, "userId: is set more than once"},
		{"field_given_twice_in_two_spellings", `{"userId": "usr_1", "user_id": "usr_2"}`, "userId: is set more than once"},
		{"comment", `{} // all of them`, "not one JSON document"},
		{"list_where_an_object_belongs", `[]`, "is an array, not an object"},
		{"string_where_a_number_belongs", `{"items": [{"quantity": "two"}]}`, `items[0].quantity: "two" is not a number`},
		{"number_out_of_range", `{"items": [{"quantity": 4294967296}]}`, "items[0].quantity: 4294967296 is out of range"},
		{"fraction_where_an_integer_belongs", `{"items": [{"quantity": 1.5}]}`, "items[0].quantity: 1.5 is not an integer"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			err := protojson.New(config.JSON{}.WithDefaults()).NewDecoder(strings.NewReader(tt.body)).Decode(&orderv1.CreateOrderRequest{})
			if err == nil || errors.Is(err, io.EOF) {
				t.Fatalf("got %v", err)
			}

			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q does not say %q", err, tt.want)
			}

			if err := protojson.New(config.JSON{}.WithDefaults()).Unmarshal([]byte(tt.body), &orderv1.CreateOrderRequest{}); err == nil {
				t.Error("Unmarshal took it")
			}
		})
	}
}

// Generated handlers take io.EOF for the absence of a body.
func TestEmptyBodyIsEOF(t *testing.T) {
	t.Parallel()

	//nolint:errorlint // They compare with ==.
	if err := protojson.New(config.JSON{}.WithDefaults()).NewDecoder(strings.NewReader("")).Decode(&orderv1.CreateOrderRequest{}); err != io.EOF {
		t.Errorf("got %v, want io.EOF itself", err)
	}
}

func TestErrorOfTheBodyIsKept(t *testing.T) {
	t.Parallel()

	broken := errors.New("connection reset")

	err := protojson.New(config.JSON{}.WithDefaults()).NewDecoder(iotest.ErrReader(broken)).Decode(&orderv1.CreateOrderRequest{})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func order() *orderv1.Order {
	return &orderv1.Order{
		OrderId: "ord_1", UserId: "usr_1", Status: orderv1.OrderStatus_ORDER_STATUS_PAID,
		Items: []*orderv1.LineItem{{
			Sku: "sku-1", Title: "Lamp <small> & \u2028 bright", Quantity: 2,
			UnitPrice: &moneyv1.Money{CurrencyCode: "EUR", Units: 9_007_199_254_740_993, Nanos: 500_000_000},
		}},
		TotalQuantity: 9_007_199_254_740_993, Note: new(""), Labels: map[string]string{"gift_wrap": "yes", "": "empty"},
		CreateTime: &timestamppb.Timestamp{Seconds: 1_700_000_000, Nanos: 1000},
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name    string
		message proto.Message
	}{
		{"full", order()},
		{"empty", &orderv1.Order{}},
		{"list", &orderv1.ListOrdersResponse{Orders: []*orderv1.Order{order(), {}}, TotalSize: -1}},
		{"enum_of_the_future", &orderv1.Order{Status: 99}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			m := protojson.New(config.JSON{}.WithDefaults())

			text, err := m.Marshal(tt.message)
			if err != nil {
				t.Fatal(err)
			}

			got := tt.message.ProtoReflect().New().Interface()
			if err := m.Unmarshal(text, got); err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(tt.message, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s\n%s", text, diff)
			}
		})
	}
}

// Clients in JavaScript have 53 bits for an integer.
func TestMapping(t *testing.T) {
	t.Parallel()

	text, err := protojson.New(config.JSON{}.WithDefaults()).Marshal(order())
	if err != nil {
		t.Fatal(err)
	}

	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}

	want := map[string]any{
		"orderId": "ord_1", "userId": "usr_1", "status": "ORDER_STATUS_PAID",
		"items": []any{map[string]any{
			"sku": "sku-1", "title": "Lamp <small> & \u2028 bright", "quantity": 2.0,
			"unitPrice": map[string]any{"currencyCode": "EUR", "units": "9007199254740993", "nanos": 500_000_000.0},
		}},
		"totalQuantity": "9007199254740993", "note": "", "labels": map[string]any{"gift_wrap": "yes", "": "empty"},
		"createTime": "2023-11-14T22:13:20.000001Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("64-bit integers are strings, unset fields are left out: %s", diff)
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()

	if got := protojson.New(config.JSON{}.WithDefaults()).ContentType(order()); got != "application/json" {
		t.Errorf("got %q", got)
	}
}

// FuzzUnmarshal looks for a body that is taken although it is not one JSON document.
func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{}{}`, `{"userId":"a"}x`, `{"note":null}`, `[[[]]]`, `{"labels":{"a":"b","a":"c"}}`, "\xff"} {
		f.Add([]byte(seed))
	}

	f.Fuzz(func(t *testing.T, body []byte) {
		m, got := protojson.New(config.JSON{}.WithDefaults()), &orderv1.CreateOrderRequest{}
		if m.Unmarshal(body, got) != nil {
			return
		}

		if !json.Valid(body) {
			t.Fatalf("took %q", body)
		}

		text, err := m.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}

		again := &orderv1.CreateOrderRequest{}
		if err := m.Unmarshal(text, again); err != nil || !proto.Equal(got, again) {
			t.Fatalf("%q reads as %v, is written as %q and read back as %v: %v", body, got, text, again, err)
		}
	})
}
