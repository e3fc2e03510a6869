package bff

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/identity"
	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg/batch"
	"github.com/portico-gateway/portico/bff/internal/resource"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
)

// backends implements connections: the pool's for upstreams, one in-process channel for all composites.
type backends struct {
	pool       *upstream.Pool
	composites *inproc.Channel
	// legs guards the calls of composites.
	legs *leg.Guard
	// traced reports that requests may have spans.
	traced bool
	// keys are those by which backends verify the gateway's tokens. Nil: it signs none.
	keys http.Handler
}

// openBackends opens the connections to the upstreams, and the composites over them.
func (c *Compiled) openBackends(
	ctx context.Context, with opening, stores *stores, transports map[string]func() *tls.Config,
) (backends, error) {
	b := backends{traced: with.tracer != nil}

	signer, err := takeSigner(ctx, with, c.config.Auth.Internal)
	if err != nil {
		return b, err
	}

	if signer != nil {
		b.keys = signer.Handler()
	}

	unary, stream := gateway.Calls(c.routes, c.methods, stores.cache)

	if b.pool, err = upstream.Open(c.upstreams(signer, transports), upstream.Deps{
		Logger: with.logger, Observer: with.metrics, Unary: unary, Stream: stream, Delay: with.cpu.Longest, Shared: with.shared,
		Traced: b.traced,
	}); err != nil {
		return b, fmt.Errorf("open upstreams: %w", err)
	}

	show(with.shared, func() func() { return with.metrics.WatchUpstreams(b.pool.Statuses) })

	b.composites = inproc.New(inproc.Config{
		Unary: compositeUnary(unary), Stream: stream, Metadata: upstream.CommonMetadata,
	})

	b.legs = leg.New(leg.Config{Methods: c.methods, Limiter: stores.limiter, AuthDisabled: c.config.Auth.Disabled})
	connect := c.connectTo(b, stores.cache, with.batchQuiet)

	return b, c.options.register(b.composites, connect)
}

// register makes the composites and puts them on their channel.
func (o options) register(channel *inproc.Channel, connect Connect) error {
	once := &registrar{Channel: channel}

	for _, add := range o.composites {
		if err := add(once, connect); err != nil {
			return err
		}
	}

	if once.again != "" {
		return fmt.Errorf("%s is implemented more than once (WithComposite)", once.again)
	}

	return nil
}

// registrar registers each service once, as a second time is a panic of the channel.
type registrar struct {
	*inproc.Channel

	// again is one that was to be registered once more.
	again string
}

// RegisterService implements grpc.ServiceRegistrar.
func (r *registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	if r.Serves(desc.ServiceName) {
		r.again = desc.ServiceName

		return
	}

	r.Channel.RegisterService(desc, impl)
}

// connectTo returns the Connect of composites. Their calls pass through, from the outside in: the policy of the method that is
// called, what joins the calls of one request, the timeout of the method, and what shares replies between requests.
func (c *Compiled) connectTo(b backends, shared *cache.Cache, quiet time.Duration) Connect {
	return func(name string) (grpc.ClientConnInterface, error) {
		conn, err := c.upstreamOfComposites(b.pool, name)
		if err != nil {
			return nil, err
		}

		unary := []grpc.UnaryClientInterceptor{
			b.legs.Unary, batch.Unary(quiet), b.legs.Timeout, leg.Shared(c.sharedLegs(shared, name)),
		}
		if b.traced {
			unary = slices.Insert(unary, 0, leg.Traced)
		}

		return leg.Conn(conn, unary, []grpc.StreamClientInterceptor{b.legs.Stream, batch.Stream}), nil
	}
}

// upstreams are how the upstreams are called.
func (c *Compiled) upstreams(signer *identity.Signer, transports map[string]func() *tls.Config) map[string]upstream.Config {
	methods := c.methodsOf()
	configs := make(map[string]upstream.Config, len(c.config.Upstreams))

	for name, u := range c.config.Upstreams {
		outgoing := upstream.Metadata{ForwardAuthorization: u.ForwardAuthorization}
		if signer != nil {
			outgoing.Sign = signer.For(name)
		}

		configs[name] = upstream.Config{
			Upstream: u, Transport: transports[name], Metadata: outgoing, Methods: methods[name],
			DialOptions: c.options.dialOptions[name],
		}
	}

	return configs
}

// takeSigner returns what signs internal tokens, with keys from a file that is watched; nil if there are none.
func takeSigner(ctx context.Context, with opening, cfg config.InternalToken) (*identity.Signer, error) {
	return resource.Take(with.shared, "internal token", resource.Key(cfg), func(own *resource.Lease) (*identity.Signer, error) {
		signer, err := openSigner(cfg)
		if signer != nil {
			watching := with.watching(ctx, "auth.internal_token.key_file")
			own.AtCommit(func() { own.Background(func(ctx context.Context) { signer.Watch(ctx, watching) }) })
		}

		return signer, err
	})
}

// openSigner opens the signer of a configuration that has one.
func openSigner(cfg config.InternalToken) (*identity.Signer, error) {
	if cfg.Issuer == "" {
		return nil, nil //nolint:nilnil // There is none.
	}

	signer, err := identity.Open(cfg)
	if err != nil {
		return nil, fmt.Errorf("auth.internal_token: %w", err)
	}

	return signer, nil
}

// upstreamOfComposites returns the connection of an upstream for composites. They call upstreams alone: between composites there
// could be cycles, and the policies of a composite are enforced where requests come in.
func (c *Compiled) upstreamOfComposites(pool *upstream.Pool, name string) (grpc.ClientConnInterface, error) {
	conn, err := pool.Conn(name)
	if err == nil {
		return conn, nil
	}

	if service := c.compositeOf(name); service != "" {
		return nil, fmt.Errorf("%s is a composite (%s), and a composite can call upstreams alone:"+
			" share its code, or make it a backend", name, service)
	}

	return nil, err
}

// compositeOf returns the composite that a name means in place of an upstream, by its name or by its package; "" if none.
func (c *Compiled) compositeOf(name string) string {
	for _, s := range c.options.services {
		if s.Composite && (s.Name == name || strings.HasPrefix(s.Name, name+".")) {
			return s.Name
		}
	}

	return ""
}

func (b backends) upstream(name string) (*grpc.ClientConn, error) { return b.pool.Conn(name) }

func (b backends) composite(service string) (grpc.ClientConnInterface, error) {
	if !b.composites.Serves(service) {
		return nil, fmt.Errorf("%s is a composite, but nothing implements it:"+
			" WithComposite does, or the generated list of composites once its package is there", service)
	}

	return b.composites, nil
}

// compositeUnary decodes what a composite has only passed on, where it may be read.
func compositeUnary(first grpc.UnaryClientInterceptor) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		return first(ctx, method, req, reply, cc,
			func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
				err := invoke(ctx, method, req, reply, cc, opts...)
				if message, ok := reply.(proto.Message); ok && err == nil && !passthrough.In(opts) {
					err = passthrough.Decode(message)
				}

				return err
			}, opts...)
	}
}
