// Package edge_test holds end-to-end tests of what comes before a route or bounds it: connections, sizes, memory, drains, CORS,
// and what hostile clients try.
package edge_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }
