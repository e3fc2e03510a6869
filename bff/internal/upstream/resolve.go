package upstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"

	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
)

// serviceConfig (gRFC A6) balances over all addresses that say SERVING for the whole server (health service name ""), and says
// which calls are made again.
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

// resolvers are those of gRPC and the one for a list of addresses, with what they find attached to the group.
func resolvers(config Config, group *balance.Group) []resolver.Builder {
	builders := []resolver.Builder{attached{Builder: list(config), group: group}}

	// Those that gRPC has of its own (gRPC Name Resolution). Another that a program adds resolves as ever, but is not in Addresses.
	for _, scheme := range []string{"dns", "unix", "unix-abstract", "passthrough"} {
		own := attached{Builder: resolver.Get(scheme), group: group, refresh: config.RefreshInterval}

		if authority, ok := own.Builder.(resolver.AuthorityOverrider); ok {
			builders = append(builders, overriding{own, authority})
		} else {
			builders = append(builders, own)
		}
	}

	return builders
}

// attached builds resolvers whose addresses are attached to a group, and that look again from time to time.
type attached struct {
	resolver.Builder

	group *balance.Group
	// refresh is how often; zero: when gRPC wants to, which is when a connection is lost.
	refresh time.Duration
}

// Build is called by gRPC.
func (a attached) Build(
	target resolver.Target, cc resolver.ClientConn, options resolver.BuildOptions,
) (resolver.Resolver, error) {
	inner, err := a.Builder.Build(target, attaching{cc, a.group}, options)
	if err != nil || a.refresh <= 0 {
		return inner, err
	}

	r := &refreshed{Resolver: inner, stop: make(chan struct{})}
	r.ticking.Go(func() { r.tick(a.refresh) })

	return r, nil
}

// overriding is one that also says what the authority of calls is, as for Unix sockets.
type overriding struct {
	attached
	resolver.AuthorityOverrider
}

var errNoAddresses = errors.New("the name has no addresses")

// attaching attaches what a resolver finds.
type attaching struct {
	resolver.ClientConn

	group *balance.Group
}

func (a attaching) UpdateState(state resolver.State) error {
	// gRPC takes a name that is gone for one without addresses, and would drop connections that are fine. It asks again soon.
	if len(state.Endpoints) == 0 && len(state.Addresses) == 0 {
		a.ReportError(errNoAddresses)

		return balancer.ErrBadResolverState
	}

	return a.ClientConn.UpdateState(a.group.Attach(state))
}

// refreshed is a resolver that looks again from time to time, so that added addresses get calls before others fail. gRPC's
// resolver of DNS names asks every 30 seconds at most.
type refreshed struct {
	resolver.Resolver

	stop    chan struct{}
	ticking sync.WaitGroup
}

func (r *refreshed) tick(interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()

	for {
		select {
		case <-r.stop:
			return
		case <-ticker.C:
			r.ResolveNow(resolver.ResolveNowOptions{})
		}
	}
}

// Close is called by gRPC, once.
func (r *refreshed) Close() {
	close(r.stop)
	r.ticking.Wait()
	r.Resolver.Close()
}
