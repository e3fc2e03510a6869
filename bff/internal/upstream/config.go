package upstream

import (
	"crypto/tls"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
)

// Config is one backend: how it is configured, and what belongs to it beside that.
type Config struct {
	config.Upstream

	// Transport is how a connection that is made now is encrypted. It must be safe for concurrent use. Nil: none is.
	Transport func() *tls.Config
	// Metadata is what it gets beyond what all backends get.
	Metadata Metadata
	// Methods are the policies of its methods, by their full names: "/order.v1.OrderService/GetOrder".
	Methods map[string]policy.Policy
	// DialOptions are those of an embedding program, each of which CheckDialOption allows.
	DialOptions []grpc.DialOption
}
