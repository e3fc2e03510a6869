// Package sessions_test holds end-to-end tests of browser sessions, with npm's oidc-provider as the issuer.
package sessions_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }
