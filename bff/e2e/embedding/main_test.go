// Package embedding_test holds end-to-end tests of what an embedding program adds, and how a gateway describes and explains
// itself.
package embedding_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }
