package passthrough_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

func TestValues(t *testing.T) {
	t.Parallel()

	text := func(number protowire.Number, value string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	count := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 300)

	for name, tt := range map[string]struct {
		encoding []byte
		want     []string
		wantErr  bool
	}{
		"none":           {nil, nil, false},
		"several":        {slices.Concat(text(2, "a"), text(3, "no"), count, text(2, "")), []string{"a", ""}, false},
		"tag_is_broken":  {slices.Concat(text(2, "a"), []byte{0x80}, text(2, "b")), []string{"a"}, true},
		"value_is_short": {slices.Concat(text(2, "a"), []byte{0x1a, 5, 'x'}), []string{"a"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var (
				got    []string
				failed error
			)

			for value, err := range passthrough.Values(tt.encoding, 2) {
				if failed = err; err == nil {
					got = append(got, string(value))
				}
			}

			if !slices.Equal(got, tt.want) || (failed != nil) != tt.wantErr {
				t.Errorf("got %q, %v", got, failed)
			}
		})
	}

	for value := range passthrough.Values(slices.Concat(text(2, "a"), text(2, "b")), 2) {
		if string(value) != "a" {
			t.Errorf("went on with %q", value)
		}

		break
	}
}

// What is read of an encoded reply is the same as of a decoded one, and nothing else is decoded.
func TestRead(t *testing.T) {
	t.Parallel()

	decoded := &orderv1.CreateOrderRequest{UserId: "usr_1", RequestId: "r1", Items: []*orderv1.LineItem{{Sku: "s"}}}

	encoding, err := proto.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}

	encoded, partly := new(orderv1.CreateOrderRequest), &orderv1.CreateOrderRequest{UserId: "usr_1"}
	encoded.ProtoReflect().SetUnknown(encoding)
	partly.ProtoReflect().SetUnknown(encoding)

	path, err := schema.ResolveVariable(decoded.ProtoReflect().Descriptor(), "user_id")
	if err != nil {
		t.Fatal(err)
	}

	for name, m := range map[string]*orderv1.CreateOrderRequest{"decoded": decoded, "encoded": encoded, "partly": partly} {
		read, err := passthrough.Read(m.ProtoReflect(), []schema.FieldPath{path})
		if err != nil || path.Text(read) != "usr_1" {
			t.Errorf("%s: got %v, %v", name, read, err)
		}

		if got, _ := read.Interface().(*orderv1.CreateOrderRequest); m != decoded && len(got.GetItems()) > 0 {
			t.Errorf("%s: all of it is decoded: %v", name, got)
		}
	}

	encoded.ProtoReflect().SetUnknown(encoding[:len(encoding)-1])

	if read, err := passthrough.Read(encoded.ProtoReflect(), []schema.FieldPath{path}); err == nil {
		t.Errorf("got %v", read)
	}
}
