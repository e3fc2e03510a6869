package upstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"

	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
)

// serviceConfig (gRFC A6) balances over all addresses that report SERVING for the server (health service name ""), and says which
// calls are retried.
func serviceConfig(config Config) (string, error) {
	policy, err := balance.Config(config.Balancing)
	if err != nil {
		return "", err
	}

	rules := map[string]any{
		"loadBalancingConfig": []any{policy},
		"healthCheckConfig":   map[string]any{"serviceName": ""},
	}
	maps.Copy(rules, methodConfig(config))

	text, err := json.Marshal(rules)
	if err != nil {
		return "", fmt.Errorf("write the service config: %w", err)
	}

	return string(text), nil
}

// resolvers returns those of gRPC and the one for a list of addresses; what they find is attached to the group.
func resolvers(config Config, group *balance.Group) []resolver.Builder {
	builders := []resolver.Builder{attached{Builder: list(config), group: group}}

	// Another one that a program adds works, but its addresses are not in Addresses.
	for _, scheme := range grpcSchemes() {
		builder := attached{Builder: resolver.Get(scheme), group: group}
		if scheme == schemeDNS {
			builder.refresh = config.RefreshInterval
		}

		if authority, ok := builder.Builder.(resolver.AuthorityOverrider); ok {
			builders = append(builders, overriding{builder, authority})
		} else {
			builders = append(builders, builder)
		}
	}

	return builders
}

// attached builds resolvers whose addresses are attached to a group.
type attached struct {
	resolver.Builder

	group *balance.Group
	// refresh is the interval at which they resolve again; zero: what they find never changes.
	refresh time.Duration
}

func (a attached) Build(
	target resolver.Target, cc resolver.ClientConn, options resolver.BuildOptions,
) (resolver.Resolver, error) {
	if a.refresh <= 0 {
		return a.Builder.Build(target, attaching{cc, a.group}, options)
	}

	// What does not change anything is logged, but does not reach gRPC.
	cc = attaching{&changes{ClientConn: cc}, a.group}

	return newRefreshed(a.refresh, cc, func(cc resolver.ClientConn) (resolver.Resolver, error) {
		return a.Builder.Build(target, cc, options)
	})
}

// overriding also sets the authority of calls, as for Unix sockets.
type overriding struct {
	attached
	resolver.AuthorityOverrider
}

var errNoAddresses = errors.New("the name has no addresses")

type attaching struct {
	resolver.ClientConn

	group *balance.Group
}

func (a attaching) UpdateState(state resolver.State) error {
	// To gRPC a name that no longer exists has no addresses, and it would drop good connections. It resolves again soon.
	if len(state.Endpoints) == 0 && len(state.Addresses) == 0 {
		a.ReportError(errNoAddresses)
		return balancer.ErrBadResolverState
	}

	a.group.LogResolved(nil)

	return a.ClientConn.UpdateState(a.group.Attach(state))
}

// ReportError implements resolver.ClientConn. gRPC logs each of the errors.
func (a attaching) ReportError(err error) {
	a.group.LogResolved(err)
	a.ClientConn.ReportError(fmt.Errorf("resolve %s: %w", balance.LoggedAs, err))
}
