//go:build !xds

package upstream

import (
	"errors"
	"testing"
)

func TestXDSNeedsABuildWithIt(t *testing.T) {
	t.Parallel()

	config := Config{Target: "xds:///orders"}
	if _, err := dial(config, newGroup("order", config, nil, nil), nil); !errors.Is(err, errNoXDS) {
		t.Errorf("got %v", err)
	}
}
