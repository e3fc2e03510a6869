//go:build !unix

package connection

import (
	"math"
	"net"
)

// descriptorLimit is how many handles the process may have: the system does not say.
func descriptorLimit() int { return math.MaxInt32 }

func descriptor(net.Conn) int { return 0 }
