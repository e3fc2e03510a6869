package balance

import (
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/grpc/balancer"
	// Those that are wrapped.
	_ "google.golang.org/grpc/balancer/leastrequest"
	_ "google.golang.org/grpc/balancer/ringhash"
	_ "google.golang.org/grpc/balancer/roundrobin"
	_ "google.golang.org/grpc/balancer/weightedroundrobin"
	"google.golang.org/grpc/serviceconfig"
)

// Name of the policy in a service config.
const Name = "portico_balance"

//nolint:gochecknoinits // gRPC knows policies by name alone, and takes their names at this time alone (balancer.Register).
func init() { balancer.Register(policy{}) }

type policy struct{}

func (policy) Name() string { return Name }

func (policy) Build(cc balancer.ClientConn, options balancer.BuildOptions) balancer.Balancer {
	return &wrapper{
		ClientConn: cc, options: options, kick: make(chan struct{}, 1),
		members: map[string]*member{}, subConns: map[*subConn]struct{}{},
	}
}

// child is the policy that is wrapped, with its configuration.
type child struct {
	serviceconfig.LoadBalancingConfig

	builder balancer.Builder
	config  serviceconfig.LoadBalancingConfig
}

// ParseConfig reads {"childPolicy": [{"name": {…}}]}. The first policy that gRPC knows counts.
func (policy) ParseConfig(text json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	var config struct {
		ChildPolicy []map[string]json.RawMessage `json:"childPolicy"`
	}

	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("parse the configuration of %s: %w", Name, err)
	}

	for _, entry := range config.ChildPolicy {
		for name, text := range entry {
			builder := balancer.Get(name)
			if builder == nil {
				continue
			}

			parsed, err := parse(builder, text)
			if err != nil {
				return nil, fmt.Errorf("parse the configuration of %s: %w", name, err)
			}

			return &child{builder: builder, config: parsed}, nil
		}
	}

	return nil, errors.New(Name + " needs a childPolicy that there is")
}

func parse(builder balancer.Builder, text json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	parser, ok := builder.(balancer.ConfigParser)
	if !ok {
		return nil, nil //nolint:nilnil // What takes no configuration gets none.
	}

	return parser.ParseConfig(text)
}
