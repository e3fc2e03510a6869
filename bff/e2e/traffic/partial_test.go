package traffic_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/composite/orderpage"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/tool/drill/faultproxy"
	"github.com/portico-gateway/portico/gen"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	orderpagev1 "github.com/portico-gateway/portico/gen/orderpage/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// faultyDashboard is a composite whose branches have faults of their own, beside those of the backends.
type faultyDashboard struct {
	dashboardv1.UnimplementedDashboardServiceServer

	users    userv1.UserServiceClient
	orders   orderv1.OrderServiceClient
	profiles profilev1.ProfileServiceClient
}

func newFaultyDashboard(connect bff.Connect) (dashboardv1.DashboardServiceServer, error) {
	user, userErr := connect("user")
	order, orderErr := connect("order")
	profile, profileErr := connect("profile")

	return faultyDashboard{
		users: userv1.NewUserServiceClient(user), orders: orderv1.NewOrderServiceClient(order),
		profiles: profilev1.NewProfileServiceClient(profile),
	}, errors.Join(userErr, orderErr, profileErr)
}

// fault is that of a branch: mostly none, or else a delay, an error, the end of its time, or a panic.
func fault(ctx context.Context) error {
	const oneIn = 40

	switch rand.IntN(oneIn) {
	case 0:
		panic("a fault of the composite")
	case 1:
		return errors.New("secret: a fault of the composite")
	case 2:
		return status.Error(codes.Unavailable, "no")
	case 3:
		return context.Canceled
	case 4:
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()

		<-ctx.Done()

		return ctx.Err()
	default:
		return nil
	}
}

// GetMyDashboard is that of the demo, with faults.
func (d faultyDashboard) GetMyDashboard(ctx context.Context, _ *dashboardv1.GetMyDashboardRequest) (*dashboardv1.Dashboard, error) {
	return d.page(ctx)
}

// GetDashboard is the same for a route without a cache policy, on which keys have an effect.
func (d faultyDashboard) GetDashboard(ctx context.Context, _ *dashboardv1.GetDashboardRequest) (*dashboardv1.Dashboard, error) {
	return d.page(ctx)
}

func (d faultyDashboard) page(ctx context.Context) (*dashboardv1.Dashboard, error) {
	page, caller := &dashboardv1.Dashboard{}, composite.Caller(ctx).Subject

	return page, composite.Run(ctx, page,
		composite.Required("user", func(ctx context.Context) (err error) {
			page.User, err = d.users.GetUser(ctx, &userv1.GetUserRequest{UserId: caller})

			return errors.Join(err, fault(ctx))
		}),
		composite.Optional("orders", func(ctx context.Context) error {
			if err := fault(ctx); err != nil {
				return err
			}

			list, err := d.orders.ListOrders(ctx, &orderv1.ListOrdersRequest{UserId: caller})
			page.Orders = list.GetOrders()

			return err
		}),
		composite.Optional("profile", func(ctx context.Context) (err error) {
			if err := fault(ctx); err != nil {
				return err
			}

			page.Profile, err = d.profiles.GetProfile(ctx, &profilev1.GetProfileRequest{UserId: caller})

			return err
		}),
	)
}

// troubled lets one call of many fail, or take a while.
func troubled(ctx context.Context, _ string) error {
	const oneIn = 20

	switch rand.IntN(oneIn) {
	case 0:
		faults := []codes.Code{codes.Unavailable, codes.Internal, codes.DeadlineExceeded, codes.Unknown, codes.ResourceExhausted, codes.Aborted}

		return status.Error(faults[rand.IntN(len(faults))], "trouble")
	case 1:
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
		}
	}

	return nil
}

// partialProbe is what came of many requests for dashboards.
type partialProbe struct {
	complete sync.Map // The entity tags of complete pages.

	hits, partial, replayed, notModified, failed atomic.Int64
}

// check looks at a response to a request with these conditions.
func (p *partialProbe) check(t *testing.T, request gatewaytest.Request, res gatewaytest.Response) {
	t.Helper()

	state, tag := res.Header.Get(cacheStatus), res.Header.Get("ETag")
	stored := strings.Contains(state, "; hit") || strings.Contains(state, "fwd=stale; fwd-status") || strings.Contains(state, "stored")
	replayed := res.Header.Get("Idempotency-Replayed") != ""
	partial := strings.Contains(res.Body, "partialErrors")

	count := func(n *atomic.Int64, is bool) {
		if is {
			n.Add(1)
		}
	}
	count(&p.hits, strings.Contains(state, "; hit"))
	count(&p.partial, partial)
	count(&p.replayed, replayed)
	count(&p.notModified, res.Status == http.StatusNotModified)
	count(&p.failed, res.Status >= http.StatusInternalServerError)

	switch {
	case res.Status == http.StatusNotModified:
		if _, known := p.complete.Load(request.Header.Get("If-None-Match")); !known {
			t.Errorf("304 for %s, which no complete page has", request.Header.Get("If-None-Match"))
		}
	case partial && (stored || replayed || tag != "" || res.Header.Get("Cache-Control") != "no-store"):
		t.Errorf("a partial page was stored: %v %s", res.Header, res.Body)
	case res.Status == http.StatusOK && !partial:
		// Whatever the header says, a page without partial errors has all of its parts.
		for _, part := range []string{`"user":`, `"orders":`, `"profile":`} {
			if !strings.Contains(res.Body, part) {
				t.Errorf("no %s in a page that is said to be complete: %s", part, res.Body)
			}
		}

		if tag != "" {
			p.complete.Store(tag, true)
		}
	case stored:
		t.Errorf("%d was stored: %v %s", res.Status, res.Header, res.Body)
	}
}

// network is what is between a gateway and what it calls.
type network struct {
	proxies []*faultproxy.Proxy
	// targets are what each proxy leads to.
	targets []string
}

// before returns the address of a proxy that leads to an address.
func (n *network) before(t *testing.T, address string) string {
	t.Helper()

	proxy, err := faultproxy.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})

	proxy.Point("tcp", address)
	n.proxies, n.targets = append(n.proxies, proxy), append(n.targets, address)

	return proxy.Address()
}

// heal ends the fault.
func (n *network) heal() {
	for i, proxy := range n.proxies {
		proxy.Point("tcp", n.targets[i])
		proxy.Set(faultproxy.Fault{})
	}
}

// disturb injects one of the faults of the drill at one place: the number says which.
func (n *network) disturb(number int) {
	const kinds = 4

	proxy := n.proxies[number/kinds%len(n.proxies)]

	switch number % kinds {
	case 0:
		proxy.Cut()
	case 1:
		proxy.Set(faultproxy.Fault{Latency: 20 * time.Millisecond})
	case 2:
		// Nobody is there.
		proxy.Point("", "")
		proxy.Cut()
	case 3:
		proxy.Set(faultproxy.Fault{BytesPerSecond: 64 << 10})
	}
}

// startPartial serves faulty dashboards over a backend with troubles, and a network between that has some as well. Pages and parts are
// stored so shortly that those of all ages are served, and the responses to keys are stored as well. The store is in memory if redis is
// nil.
func startPartial(t *testing.T, redis *redistest.Server) (*gatewaytest.Site, *network) {
	t.Helper()

	var cfg config.Config

	first, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)

		// Some of the requests of all callers must come while a page is stored, however slow they are.
		short := gatewaytest.Object{"ttl": life(50), "stale_while_revalidate": life(50), "stale_if_error": life(100)}
		for _, selector := range []string{
			getMyDashboard, getProfile, "user.v1.UserService.GetUser", "order.v1.OrderService.ListOrders",
		} {
			gatewaytest.SetPolicy(c, selector, gatewaytest.Object{"cache": short})
		}

		for name, u := range c.Upstreams {
			u.Breaker.FailureRatio = 1
			c.Upstreams[name] = u
		}

		cfg = *c
	})
	b.FailWith(troubled)

	between := &network{}
	cfg.Upstreams = maps.Clone(cfg.Upstreams)

	if redis != nil {
		cfg.Redis.URL = "redis://" + between.before(t, redis.Addr)
		// On a busy machine Redis would otherwise seem to be down all the time.
		cfg.Redis.Timeout = time.Second
	}

	for _, name := range []string{"user", "order", "profile"} {
		u := cfg.Upstreams[name]
		u.Addresses = []string{between.before(t, b.Address)}
		cfg.Upstreams[name] = u
	}

	gw, err := gatewaytest.New(t.Context(), t, cfg, gatewaytest.Quiet(), bff.WithServices(gen.Services()...),
		bff.WithDefaultPolicy(&porticov1.MethodPolicy{Idempotency: &porticov1.Idempotency{}}),
		bff.WithComposite(orderpagev1.RegisterOrderPageServiceServer, orderpage.New),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, newFaultyDashboard))
	if err != nil {
		t.Fatal(err)
	}

	return &gatewaytest.Site{Backend: b.Backend, Issuer: first.Issuer, Gateway: gw, URL: gatewaytest.Listen(t, gw)}, between
}

// life is so many milliseconds, or longer under the race detector, as a policy has it.
func life(milliseconds int) string {
	return fmt.Sprintf("%.3fs", float64(milliseconds*gatewaytest.Slowdown*gatewaytest.Slowdown)/1000)
}

// Of ten thousand pages from the cache, under faults of all kinds and with legs that are cached as well, none is partial. Neither has
// a partial page a version, nor is it the stored response to a key.
func TestPartialPagesAreNotStored(t *testing.T) {
	t.Parallel()

	askForPages(t, 10000/gatewaytest.Slowdown, nil)
}

// The same for a store that several gateways share.
func TestPartialPagesAreNotStoredInRedis(t *testing.T) {
	t.Parallel()

	askForPages(t, 4000/gatewaytest.Slowdown, redistest.Start(t))
}

// askForPages asks for pages until so many came from the cache, and checks each. The store is in memory if redis is nil.
func askForPages(t *testing.T, hits int64, redis *redistest.Server) {
	t.Helper()

	const most, perFault, duringFault, atOnce, callers, keys = 200000, 200, 40, 24, 12, 40

	s, between := startPartial(t, redis)

	headers := make([]http.Header, callers)
	for i := range headers {
		headers[i] = s.As(t, fmt.Sprint("user-", i))
	}

	var (
		probe partialProbe
		next  atomic.Int64
		all   sync.WaitGroup
	)

	client := gatewaytest.PlainClient(t)

	for range atOnce {
		all.Go(func() {
			tags := map[int]string{}

			for probe.hits.Load() < hits && !t.Failed() {
				n := next.Add(1)
				if n > most {
					return
				}

				switch n % perFault {
				case 0:
					between.disturb(int(n / perFault))
				case duringFault:
					between.heal()
				}

				caller := rand.IntN(callers)
				request := gatewaytest.Request{Target: myDashboard, Header: headers[caller].Clone()}

				switch kind := rand.IntN(8); {
				case kind == 0:
					request.Header.Set("Cache-Control", "no-cache")
				case kind == 1:
					request.Target = fmt.Sprintf("/v1/users/user-%d/dashboard", caller)
					request.Header.Set("Idempotency-Key", fmt.Sprintf("%q", fmt.Sprint("key-", rand.IntN(keys))))
				case kind < 4 && tags[caller] != "":
					request.Header.Set("If-None-Match", tags[caller])
				}

				ctx, cancel := context.WithCancel(t.Context())
				if rand.IntN(50) == 0 {
					// Some clients do not wait for the response.
					time.AfterFunc(time.Duration(rand.IntN(1000))*time.Microsecond, cancel)
				}

				res, err := s.Send(ctx, client, request)
				left := ctx.Err() != nil

				cancel()

				if err == nil {
					probe.check(t, request, res)

					if tag := res.Header.Get("ETag"); tag != "" {
						tags[caller] = tag
					}
				} else if !left {
					t.Error(err)
				}
			}
		})
	}

	all.Wait()

	t.Logf("%d requests: %d hits, %d partial, %d replayed, %d not modified, %d failed",
		next.Load(), probe.hits.Load(), probe.partial.Load(), probe.replayed.Load(), probe.notModified.Load(), probe.failed.Load())

	if probe.hits.Load() < hits || probe.partial.Load() == 0 || probe.replayed.Load() == 0 || probe.notModified.Load() == 0 ||
		probe.failed.Load() == 0 {
		t.Error("not everything happened")
	}
}
