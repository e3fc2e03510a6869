// Package reload_test holds end-to-end tests of a gateway that gets another configuration while it serves.
package reload_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }
