//go:build xds

package xds_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }
