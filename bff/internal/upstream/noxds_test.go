//go:build !xds

package upstream

import (
	"errors"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

func TestXDSNeedsABuildWithIt(t *testing.T) {
	t.Parallel()

	cfg := Config{Upstream: config.Upstream{Target: "xds:///orders"}}
	if _, err := dial(cfg, newGroup("order", cfg, Deps{}), nil); !errors.Is(err, errNoXDS) {
		t.Errorf("got %v", err)
	}
}
