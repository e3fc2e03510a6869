// Package access_test holds end-to-end tests of who may call: tokens, API keys, certificates, keys that rotate, and what
// backends learn of the caller.
package access_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }
