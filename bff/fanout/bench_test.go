package fanout_test

import (
	"context"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/fanout"
)

// BenchmarkRun is what running three branches costs that have nothing to do.
func BenchmarkRun(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()

	leg := func(context.Context) error { return nil }

	b.ReportAllocs()

	for b.Loop() {
		if _, err := fanout.Run(ctx, fanout.Options{},
			fanout.Required("a", 0, leg), fanout.Optional("b", 0, leg), fanout.Optional("c", 0, leg)); err != nil {
			b.Fatal(err)
		}
	}
}
