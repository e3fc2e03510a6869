package binding_test

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// Once, every parameter had a budget of its own, so that many small ones took as much as they liked.
func TestParametersShareTheMemory(t *testing.T) {
	t.Parallel()

	b := bind(t, "GET /v1/every", binding.Config{})

	// As in JSON, and as in a proto.
	for _, path := range []string{"a,", "_,"} {
		mask, many := strings.Repeat(path, 1000)+"a", ""
		for depth := range 60 {
			many += strings.Repeat("every.", depth) + "fieldMask=" + mask + "&"
		}

		if _, err := b.Query("fieldMask="+mask, (&everyv1.Every{}).ProtoReflect()); err != nil {
			t.Error(err)
		}

		got := queryFaults(t, b, many, (&everyv1.Every{}).ProtoReflect())
		if !strings.Contains(got, "takes too much memory for the size of the") {
			t.Errorf("%s: got %.200q", path, got)
		}
	}
}

// Once, a long name was cut within a character.
func TestNamesAreCutBetweenCharacters(t *testing.T) {
	t.Parallel()

	for name, want := range map[string]string{
		strings.Repeat("x", 63) + "éééé":          strings.Repeat("x", 63) + "…",
		strings.Repeat("x", 62) + "éééé":          strings.Repeat("x", 62) + "é…",
		"%ff":                                     "\uFFFD",
		strings.Repeat("x", 63) + "%ff%ff":        strings.Repeat("x", 63) + "\uFFFD…",
		strings.Repeat("%bf", 70):                 "\uFFFD…",
		strings.Repeat("x", 64):                   strings.Repeat("x", 64),
		strings.Repeat("x", 61) + "€" + "tooLong": strings.Repeat("x", 61) + "€…",
	} {
		got := queryFaults(t, bind(t, "GET /v1/every", binding.Config{}), name+"=1", (&everyv1.Every{}).ProtoReflect())
		if got != "query "+want+": unknown parameter" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func BenchmarkQuery(b *testing.B) {
	bound := checked(b, &orderv1.ListOrdersRequest{}, "GET /v1/users/{user_id}/orders")

	for name, query := range map[string]string{"one": "page_size=20", "two": "page_size=20&status=ORDER_STATUS_PAID"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()

			for b.Loop() {
				if _, err := bound.Query(query, (&orderv1.ListOrdersRequest{}).ProtoReflect()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
