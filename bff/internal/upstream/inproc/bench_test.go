package inproc_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// BenchmarkInvoke is what a call costs that is answered at once, by an answer with so many items.
func BenchmarkInvoke(b *testing.B) {
	for _, items := range []int{1, 100} {
		b.Run(fmt.Sprint(items), func(b *testing.B) {
			answer := &orderv1.Order{OrderId: "ord_1"}
			for range items {
				answer.Items = append(answer.Items, &orderv1.LineItem{Sku: "product", Quantity: 1})
			}

			c := client(orders{get: func(context.Context, *orderv1.GetOrderRequest) (*orderv1.Order, error) { return answer, nil }})
			req := &orderv1.GetOrderRequest{OrderId: "ord_1"}

			ctx, cancel := context.WithTimeout(reqinfo.NewContext(b.Context(), &reqinfo.Record{ID: "a"}), time.Hour)
			defer cancel()

			ctx = metadata.NewOutgoingContext(ctx, metadata.Pairs("x-request-id", "a", "x-portico-subject", "usr_1"))

			b.ReportAllocs()

			for b.Loop() {
				var header, trailer metadata.MD

				if _, err := c.GetOrder(ctx, req, grpc.Header(&header), grpc.Trailer(&trailer)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
