package composite_test

import (
	"context"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/composite"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
)

// BenchmarkRun is what running three branches costs that have nothing to do.
func BenchmarkRun(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()

	leg := func(context.Context) error { return nil }
	page := &dashboardv1.Dashboard{}

	b.ReportAllocs()

	for b.Loop() {
		if err := composite.Run(ctx, page,
			composite.Required("user", leg), composite.Optional("orders", leg), composite.Optional("profile", leg)); err != nil {
			b.Fatal(err)
		}
	}
}
