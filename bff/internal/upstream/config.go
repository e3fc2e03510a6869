package upstream

import (
	"crypto/tls"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
)

// Config is the configuration of a backend, with what is not in the configuration file.
type Config struct {
	config.Upstream

	// Transport returns the TLS configuration of a new connection. It must be safe for concurrent use. Nil: connections have none.
	Transport func() *tls.Config
	// Metadata is what it gets in addition to what all backends get.
	Metadata Metadata
	// Methods are the policies of its methods, by their full names: "/order.v1.OrderService/GetOrder".
	Methods map[string]policy.Policy
	// DialOptions are those of an embedding program, each of which CheckDialOption allows.
	DialOptions []grpc.DialOption
}
