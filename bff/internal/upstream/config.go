package upstream

import (
	"crypto/tls"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Config is one backend: how it is configured, and what belongs to it beside that.
type Config struct {
	config.Upstream

	// Transport is how a connection that is made now is encrypted. It must be safe for concurrent use. Nil: none is.
	Transport func() *tls.Config
	// Metadata is what it gets beyond what all backends get.
	Metadata Metadata
	// Methods are those with rules of their own, by their full names: "/order.v1.OrderService/GetOrder".
	Methods map[string]Method
	// DialOptions are those of an embedding program, each of which CheckDialOption allows.
	DialOptions []grpc.DialOption
}

// Method is what holds for calls of one method.
type Method struct {
	// Retry says when they are made again. Nil: never.
	Retry *policy.Retry
	// Breaker guards the method beside the backend's own. Nil: there is none.
	Breaker *porticov1.Breaker
}
