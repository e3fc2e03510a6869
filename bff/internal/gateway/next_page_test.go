package gateway

import (
	"testing"

	"google.golang.org/protobuf/proto"

	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

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
