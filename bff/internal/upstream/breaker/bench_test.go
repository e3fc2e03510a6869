package breaker_test

import (
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// BenchmarkAllow is what a call that is answered in time costs.
func BenchmarkAllow(b *testing.B) {
	settings := config.Breaker{FailureRatio: 0.5, MinRequests: 10, Window: 10 * time.Second, OpenFor: 2 * time.Second}
	slow := settings
	slow.SlowAfter = time.Second

	for _, tt := range []struct {
		name     string
		settings config.Breaker
	}{{"failures", settings}, {"failures_and_slowness", slow}} {
		b.Run(tt.name, func(b *testing.B) {
			guard := breaker.New("order", tt.settings, nil)

			b.ReportAllocs()

			for b.Loop() {
				done, err := guard.Allow()
				if err != nil {
					b.Fatal(err)
				}

				done(nil)
			}
		})
	}
}
