package limit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/testkit/limittest"
)

func TestMemoryIsAStore(t *testing.T) {
	t.Parallel()
	limittest.Run(t, synctest.Test, func(testing.TB) limit.Store { return limit.NewMemory(100_000) })
}

func TestThreeTimesTheRateForAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limittest.Flood(t, time.Minute, limit.NewMemory(100_000))
	})
}
