package passthrough_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
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
