// Package translation_test holds end-to-end tests of what becomes of requests and responses between REST and gRPC: paths,
// queries, bodies, headers, streams and files.
package translation_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }
