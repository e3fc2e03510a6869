// Package description_test holds tests of how gateways describe themselves: documents and their examples against JSON Schema, and
// whether what a document allows is accepted. They run without the race detector, which the checks would take ten times as long under.
package description_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }
