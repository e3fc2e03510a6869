package gateway

import (
	"testing"

	"google.golang.org/protobuf/proto"

	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// Once, the other parameters were written anew, so "%20" became "+", and "a" became "a=".
func TestQueryOfTheNextPage(t *testing.T) {
	t.Parallel()

	p := &pages{token: (&orderv1.ListOrdersRequest{}).ProtoReflect().Descriptor().Fields().ByName("page_token"), name: "pageToken"}

	for raw, want := range map[string]string{
		"":                                    "",
		"b=1&a=2&b=3":                         "b=1&a=2&b=3&",
		"a=x%20y+z&b=%2b%2B%c3%a9&c=":         "a=x%20y+z&b=%2b%2B%c3%a9&c=&",
		"flag&a=1=2&c=/?:@;,!$'()*~":          "flag&a=1=2&c=/?:@;,!$'()*~&",
		"fields=orders(orderId,total),x.*":    "fields=orders(orderId,total),x.*&",
		"fields=a%2Cb&fields=labels.%60k%60":  "fields=a%2Cb&fields=labels.%60k%60&",
		"pageToken=old&a=1":                   "a=1&",
		"a=1&page%54oken=old&b=2":             "a=1&b=2&",
		"&a=1&&b=2&":                          "a=1&b=2&",
		"a=<x>;\"y\"\\^`{|}[#]&\xc3\xa9=\x7f": "a=%3Cx%3E;%22y%22%5C%5E%60%7B%7C%7D%5B%23%5D&%C3%A9=%7F&",
	} {
		if got := p.query(raw, `=&, >"<é`); got != want+"pageToken=%3D%26%2C+%3E%22%3C%C3%A9" {
			t.Errorf("%s: %s", raw, got)
		}
	}

	if got := p.query("a=1&page_token=old", "new"); got != "a=1&page_token=new" {
		t.Errorf("the client's spelling: %s", got)
	}
}

// The token is found whether or not the reply was decoded, and the last one counts, as for protobuf.
func TestTextIn(t *testing.T) {
	t.Parallel()

	encode := func(token string) []byte {
		wire, err := proto.Marshal(&orderv1.ListOrdersResponse{
			Orders: []*orderv1.Order{{OrderId: "o1"}}, NextPageToken: token, TotalSize: 3,
		})
		if err != nil {
			t.Fatal(err)
		}

		return wire
	}

	for name, tt := range map[string]struct {
		known   string
		unknown []byte
		want    string
	}{
		"decoded":     {"a", nil, "a"},
		"not decoded": {"", encode("b"), "b"},
		"both":        {"a", encode("b"), "b"},
		"twice":       {"", append(encode("b"), encode("c")...), "c"},
		"none":        {"", encode(""), ""},
		"cut off":     {"", encode("b")[:5], ""},
		"malformed":   {"", []byte{0xff}, ""},
	} {
		m := (&orderv1.ListOrdersResponse{NextPageToken: tt.known}).ProtoReflect()
		m.SetUnknown(tt.unknown)

		if got := textIn(m, m.Descriptor().Fields().ByName("next_page_token")); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
