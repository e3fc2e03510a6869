// Package traffic_test holds end-to-end tests of what a gateway does with many requests: deadlines, retries, breakers, limits,
// caching, idempotency, and overload.
package traffic_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }
