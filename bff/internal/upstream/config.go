package upstream

import (
	"crypto/tls"
	"time"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Config is one backend.
type Config struct {
	// Addresses are host:port pairs, or Unix sockets (unix:path), that are used in turn. Exclusive with Target.
	Addresses []string
	// Target is a gRPC name, such as "dns:///user.prod.svc:9000" (gRPC Name Resolution).
	Target string
	// Authority is the :authority of calls, host[:port], and the name that TLS verifies if its configuration has none. Empty: the
	// address of each connection, or what gRPC says for the target.
	Authority string
	// TLS is how a connection that is made now is encrypted. It must be safe for concurrent use. Nil: none is.
	TLS func() *tls.Config
	// Breaker guards all of its addresses together.
	Breaker breaker.Settings
	// Metadata is what it gets beyond what all backends get.
	Metadata Metadata
	// Methods are those with rules of their own, by their full names: "/order.v1.OrderService/GetOrder".
	Methods map[string]Method
	// Concurrency bounds how many calls are under way at once.
	Concurrency Concurrency
	// Balancing is how calls are spread over the addresses: "round_robin", "least_request", "weighted_round_robin" or "ring_hash",
	// with which calls are not hedged. Empty: "round_robin".
	Balancing string
	// MaxReceiveBytes is the largest message that is taken from it. Zero: 4 MiB.
	MaxReceiveBytes int
	// Probe asks each address for its health.
	Probe Probe
	// Ejection leaves out addresses whose calls fail.
	Ejection Ejection
	// RefreshInterval is how often the names of a target are looked up again. Zero: when a connection is lost.
	RefreshInterval time.Duration
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

// Concurrency bounds the calls to a backend that are under way at once. The bound follows what the backend can do.
type Concurrency struct {
	// Disabled lifts the bound.
	Disabled bool
	// Min and Max are how far the bound may move, and Initial where it starts. Zero: 20, 1000 and 200.
	Min, Max, Initial int
}

// Probe asks each address for its health (grpc.health.v1).
type Probe struct {
	Disabled bool
	// Interval is how often it asks, and Timeout how long it waits for an answer. Zero: the defaults of package balance.
	Interval, Timeout time.Duration
}

// Ejection leaves out an address whose calls fail.
type Ejection struct {
	Disabled bool
	// ConsecutiveFailures are how many in a row it takes. Zero: the default of package balance.
	ConsecutiveFailures int
	// BaseTime is for how long it is left out the first time. Zero: the default of package balance.
	BaseTime time.Duration
	// MaxRatio of the addresses may be left out at once, over 0 to 1. Zero: the default of package balance.
	MaxRatio float64
}
