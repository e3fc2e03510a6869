package protojson_test

import (
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// Writing one field of each of 100 orders takes at most half of the time of writing them all; it is about a sixth. The shortest of
// many does not depend on what else the machine does.
func TestFewFieldsCostLess(t *testing.T) { //nolint:paralleltest // It measures times.
	const rounds, times = 100, 3

	list := undecoded((&orderv1.ListOrdersResponse{}).ProtoReflect().Type(), marshal(t, listOfOrders(100)))

	write := func(fields string) time.Duration {
		var buffer []byte

		start := time.Now()

		for range times {
			mask, err := selector(&orderv1.ListOrdersResponse{}).Parse([]string{fields})
			if err != nil {
				t.Fatal(err)
			}

			if _, err := shared.Marshal(&protojson.Into{Message: list, Buffer: &buffer, Mask: mask}); err != nil {
				t.Fatal(err)
			}
		}

		return time.Since(start)
	}

	all, one := time.Hour, time.Hour
	for range rounds {
		all, one = min(all, write("*")), min(one, write("orders.orderId"))
	}

	if t.Logf("all fields: %s, one: %s", all/times, one/times); one > all/2 {
		t.Errorf("one field takes %.2f of all", float64(one)/float64(all))
	}
}
