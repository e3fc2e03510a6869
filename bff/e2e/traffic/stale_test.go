package traffic_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// Whoever has the answer to a write sees what it changed, at each gateway, though both had kept what was before.
func TestWritesAreSeenAtTheOtherGateway(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	twins, b := gatewaytest.StartTwins(t, func(c *config.Config) {
		c.Redis = config.Redis{URL: server.URL(), Timeout: 10 * time.Second}
		patient(c)
	})
	header, client := twins[0].As(t, "alice"), gatewaytest.PlainClient(t)
	// Before gateways there is something that gives them one name.
	const host = "shop.example"

	read := gatewaytest.Request{Target: aliceProfile, Header: header, Host: host}

	misses := 0
	ask := func(s *gatewaytest.Site) gatewaytest.Response {
		res := s.MustSend(t, client, read)
		if !isHit(res) {
			misses++
		}

		return res
	}
	// What is kept reaches Redis a moment after the answer.
	kept := func(s *gatewaytest.Site) bool {
		for range 100 {
			if isHit(ask(s)) {
				return true
			}
		}

		return false
	}

	for n := range 20 {
		writer, reader := twins[n%2], twins[(n+1)%2]
		bio := fmt.Sprint("bio-", n)

		// Kept by one, it is there for the other too.
		if !kept(reader) || !kept(writer) {
			t.Errorf("%d: not kept before the write", n)
		}

		if res := writer.MustSend(t, client, gatewaytest.Request{Method: http.MethodPatch, Target: aliceProfile, Header: header, Host: host, Body: `{"bio":"` + bio + `"}`}); res.Status != http.StatusOK {
			t.Fatalf("%d %s", res.Status, res.Body)
		}

		if res := ask(reader); !strings.Contains(res.Body, `"`+bio+`"`) || res.Header.Get(cacheStatus) != freshMiss {
			t.Errorf("%d: after the write: %s %s", n, res.Header.Get(cacheStatus), res.Body)
		}
	}

	if got := b.CountOf(gatewaytest.RPCGetProfile); got != misses {
		t.Errorf("%d calls to read for %d misses", got, misses)
	}
}

// writingDashboard is a composite that writes a profile.
type writingDashboard struct {
	dashboardv1.UnimplementedDashboardServiceServer

	profiles profilev1.ProfileServiceClient
}

func (d writingDashboard) GetMyDashboard(ctx context.Context, _ *dashboardv1.GetMyDashboardRequest) (*dashboardv1.Dashboard, error) {
	changed, err := d.profiles.UpdateProfile(ctx, &profilev1.UpdateProfileRequest{
		UserId: "alice", Profile: &profilev1.Profile{Bio: "by a leg"},
	})

	return &dashboardv1.Dashboard{Profile: changed}, err
}

// What a leg of a composite writes is seen as well.
func TestWritesOfLegsAreSeen(t *testing.T) {
	t.Parallel()

	var cfg config.Config

	first, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)

		cfg = *c
	})

	gw, err := gatewaytest.New(t.Context(), t, cfg, gatewaytest.Quiet(),
		bff.WithServices(gatewaytest.Service(t, "profile.v1.ProfileService"), gatewaytest.Service(t, "dashboard.v1.DashboardService")),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, func(connect bff.Connect) (dashboardv1.DashboardServiceServer, error) {
			conn, err := connect("profile")

			return writingDashboard{profiles: profilev1.NewProfileServiceClient(conn)}, err
		}))
	if err != nil {
		t.Fatal(err)
	}

	s := &gatewaytest.Site{Backend: b.Backend, Gateway: gw, URL: gatewaytest.Listen(t, gw)}
	header, client := first.As(t, "alice"), gatewaytest.PlainClient(t)
	read := gatewaytest.Request{Target: aliceProfile, Header: header}

	s.MustSend(t, client, read)

	if res := s.MustSend(t, client, read); !isHit(res) {
		t.Fatalf("%s", res.Header.Get(cacheStatus))
	}

	if res := s.MustSend(t, client, gatewaytest.Request{Target: "/v1/me/dashboard", Header: header}); res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	if res := s.MustSend(t, client, read); !strings.Contains(res.Body, "by a leg") {
		t.Errorf("%s %s", res.Header.Get(cacheStatus), res.Body)
	}
}

// failing lets calls of a method end so.
func failing(rpc string, code codes.Code) gatewaytest.Fault {
	return func(_ context.Context, called string) error {
		if called == rpc {
			return status.Error(code, "trouble")
		}

		return nil
	}
}

// Errors and partial answers are for those who asked, and complete ones for those who come later.
func TestErrorsAndPartialAnswersAreNotKept(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		patient(c)

		kept := gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "600s"}}
		gatewaytest.SetPolicy(c, "dashboard.v1.DashboardService.GetMyDashboard", kept)
		gatewaytest.SetPolicy(c, getOrder, kept)
	})
	header, client := s.As(t, "alice"), gatewaytest.PlainClient(t)
	dashboard := gatewaytest.Request{Target: "/v1/me/dashboard", Header: header}

	b.FailWith(failing(gatewaytest.RPCGetProfile, codes.Internal))

	for range 2 {
		res := s.MustSend(t, client, dashboard)
		if res.Status != http.StatusOK || !strings.Contains(res.Body, "partialErrors") || res.Header.Get(cacheStatus) != "portico; fwd=uri-miss" ||
			res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("partial: %d %v %s", res.Status, res.Header, res.Body)
		}
	}

	b.Heal()

	if res := s.MustSend(t, client, dashboard); strings.Contains(res.Body, "partialErrors") || res.Header.Get(cacheStatus) != freshMiss {
		t.Errorf("complete: %v %s", res.Header, res.Body)
	}

	b.FailWith(failing(gatewaytest.RPCGetProfile, codes.Internal))

	if res := s.MustSend(t, client, dashboard); !isHit(res) || strings.Contains(res.Body, "partialErrors") {
		t.Errorf("kept: %v %s", res.Header, res.Body)
	}

	for i, code := range []codes.Code{codes.NotFound, codes.Internal, codes.PermissionDenied, codes.InvalidArgument} {
		q := gatewaytest.Request{Target: fmt.Sprint("/v1/orders/", i), Header: header}

		b.FailWith(failing(gatewaytest.RPCGetOrder, code))

		for range 2 {
			if res := s.MustSend(t, client, q); res.Status < 400 || strings.Contains(res.Header.Get(cacheStatus), "stored") {
				t.Errorf("%s: %d %v", code, res.Status, res.Header)
			}
		}

		b.Heal()

		if res := s.MustSend(t, client, q); res.Status != http.StatusOK || res.Header.Get(cacheStatus) != freshMiss {
			t.Errorf("after %s: %d %v", code, res.Status, res.Header)
		}
	}
}

// While the backend is down, and for as long as it is allowed, there is still what was kept; for errors of the client there is not.
func TestStaleAnswersWhileTheBackendIsDown(t *testing.T) {
	t.Parallel()

	const target = "/v1/orders/1"

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)
		gatewaytest.SetPolicy(c, getOrder, gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "0.2s", "stale_if_error": "600s"}})
	})
	header, client := s.As(t, "alice"), gatewaytest.PlainClient(t)
	q := gatewaytest.Request{Target: target, Header: header}

	first := s.MustSend(t, client, q)
	if first.Status != http.StatusOK {
		t.Fatalf("%d %s", first.Status, first.Body)
	}

	time.Sleep(300 * time.Millisecond)
	b.FailWith(failing(gatewaytest.RPCGetOrder, codes.NotFound))

	if res := s.MustSend(t, client, q); res.Status != http.StatusNotFound {
		t.Errorf("gone for good: %d %v", res.Status, res.Header)
	}

	b.Heal()
	s.MustSend(t, client, q)
	time.Sleep(300 * time.Millisecond)
	b.Stop()

	// The breaker is closed at first, and open later.
	for range 30 {
		res := s.MustSend(t, client, q)
		if res.Status != http.StatusOK || res.Body != first.Body || !strings.HasPrefix(res.Header.Get(cacheStatus), "portico; fwd=stale; ") ||
			res.Header.Get("Age") == "" {
			t.Fatalf("%d %v %s", res.Status, res.Header, res.Body)
		}
	}

	if res := s.MustSend(t, client, gatewaytest.Request{Target: "/v1/orders/2", Header: header}); res.Status != http.StatusServiceUnavailable {
		t.Errorf("what was never kept: %d", res.Status)
	}

	if res := s.MustSend(t, client, gatewaytest.Request{Target: target, Header: s.As(t, "bob")}); res.Status != http.StatusServiceUnavailable {
		t.Errorf("what was kept for another: %d %s", res.Status, res.Body)
	}
}

// An old answer is given out at once, and a new one fetched behind it.
func TestStaleWhileRevalidate(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)
		gatewaytest.SetPolicy(c, getProfile, gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "0.2s", "stale_while_revalidate": "600s"}})
	})
	client := gatewaytest.PlainClient(t)
	q := gatewaytest.Request{Target: aliceProfile, Header: s.As(t, "alice")}

	s.MustSend(t, client, q)

	later := "later"
	b.Bio.Store(&later)
	time.Sleep(300 * time.Millisecond)

	res := s.MustSend(t, client, q)
	if res.Status != http.StatusOK || strings.Contains(res.Body, later) || !strings.HasSuffix(res.Header.Get(cacheStatus), "; detail=stale-while-revalidate") {
		t.Errorf("%v %s", res.Header, res.Body)
	}

	gatewaytest.Eventually(t, "the new answer", func() bool { return strings.Contains(s.MustSend(t, client, q).Body, later) })
}

// Who may not have it, or no longer, gets nothing that was kept, be it for all or for them.
func TestKeptAnswersAreForThoseWhoMay(t *testing.T) {
	t.Parallel()

	for _, scope := range []porticov1.CacheScope{porticov1.CacheScope_CACHE_SCOPE_PRIVATE, porticov1.CacheScope_CACHE_SCOPE_PUBLIC} {
		t.Run(scope.String(), func(t *testing.T) {
			t.Parallel()

			file, keys := keysFor(t, machine{"alice", ""})
			kept := keptForAll()
			kept.Cache.Scope = scope

			s, _ := gatewaytest.StartFlaky(t, func(c *config.Config) {
				gatewaytest.Unlimited(c)

				c.Auth.APIKeys.File, c.Auth.APIKeys.ReloadInterval = file, 20*time.Millisecond
			}, bff.WithDefaultPolicy(kept))
			client := gatewaytest.PlainClient(t)

			ask := func(header http.Header) gatewaytest.Response {
				return s.MustSend(t, client, gatewaytest.Request{Target: "/v1/users/alice", Header: header})
			}

			admin := s.As(t, "bob", "users:admin")
			ask(admin)
			ask(keys[0])

			if res := ask(admin); !isHit(res) {
				t.Errorf("%v", res.Header)
			}

			for name, row := range map[string]struct {
				header http.Header
				status int
			}{
				"without_the_scope": {s.As(t, "bob"), http.StatusForbidden},
				"another":           {s.As(t, "carol"), http.StatusForbidden},
				"nobody":            {nil, http.StatusUnauthorized},
				"forged":            {http.Header{"Authorization": {admin.Get("Authorization") + "x"}}, http.StatusUnauthorized},
			} {
				if res := ask(row.header); res.Status != row.status || strings.Contains(res.Body, "userId") || res.Header.Get("ETag") != "" {
					t.Errorf("%s: %d %v %s", name, res.Status, res.Header, res.Body)
				}
			}

			if res := ask(keys[0]); !isHit(res) {
				t.Errorf("%v", res.Header)
			}

			if err := os.WriteFile(file, []byte("keys: []\n"), 0o600); err != nil {
				t.Fatal(err)
			}

			gatewaytest.Eventually(t, "the key being revoked", func() bool { return ask(keys[0]).Status == http.StatusUnauthorized })
		})
	}
}

// Turned off, nothing is kept, and requests at the same time still share a call.
func TestCacheCanBeTurnedOff(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		patient(c)

		c.Cache.Disabled = true
	})
	client := gatewaytest.PlainClient(t)
	q := gatewaytest.Request{Target: aliceProfile, Header: s.As(t, "alice")}

	for range 2 {
		if res := s.MustSend(t, client, q); res.Header.Get(cacheStatus) != "portico; fwd=bypass" || res.Header.Get("Cache-Control") != "no-store" ||
			res.Header.Get("ETag") != "" || res.Header.Get("Age") != "" {
			t.Errorf("%v", res.Header)
		}
	}

	if got := b.TakeCalls(); len(got) != 2 {
		t.Errorf("%v", gatewaytest.RPCs(got))
	}

	// Which requests come while there is a call is up to the machine; each of the others makes one.
	gatewaytest.Eventually(t, "a shared call", func() bool {
		const many = 20

		collapsed := together(t, s, b, client, q, many)
		if got := len(b.TakeCalls()); got != many-collapsed {
			t.Fatalf("%d calls for %d requests that shared none", got, many-collapsed)
		}

		return collapsed > 0
	})
}

// together sends so many requests while the backend holds the first call, and returns how many shared one.
func together(t *testing.T, s *gatewaytest.Site, b *gatewaytest.FlakyBackend, client *http.Client, q gatewaytest.Request, many int) int {
	t.Helper()

	release := make(chan struct{})

	b.FailWith(func(context.Context, string) error {
		<-release

		return nil
	})

	answered := make(chan bool, many)
	for range many {
		go func() {
			res, err := s.Send(t.Context(), client, q)
			if err != nil || res.Status != http.StatusOK {
				t.Errorf("%v, %d %s", err, res.Status, res.Body)
			}

			answered <- strings.HasSuffix(res.Header.Get(cacheStatus), "; collapsed")
		}()
	}

	gatewaytest.Eventually(t, "the call", func() bool { return b.Count() > 0 })
	// Something else takes long enough for others to come.
	s.MustSend(t, client, gatewaytest.Request{Target: "/v1/nothing", Header: q.Header})
	close(release)

	collapsed := 0

	for range many {
		if <-answered {
			collapsed++
		}
	}

	return collapsed
}

// Those who share a call are not hurt by the one who made it leaving; once all have left it ends.
func TestSharedCallsEndWithTheLastWhoWaits(t *testing.T) {
	// Not in parallel: it counts those who wait in the process.
	s, b := gatewaytest.StartFlaky(t, gatewaytest.Unlimited)
	client, header := gatewaytest.PlainClient(t), s.As(t, "alice")
	ended, release := make(chan error, 10), make(chan struct{})

	b.FailWith(func(ctx context.Context, _ string) error {
		select {
		case <-release:
		case <-ctx.Done():
			ended <- ctx.Err()
		}

		return nil
	})

	// GetOrder keeps nothing and shares calls.
	ask := func(ctx context.Context) <-chan gatewaytest.Response {
		answered := make(chan gatewaytest.Response, 1)

		go func() {
			res, err := s.Send(ctx, client, gatewaytest.Request{Target: "/v1/orders/1", Header: header})
			if err != nil {
				res.Status = 0
			}

			answered <- res
		}()

		return answered
	}

	leading, leave := context.WithCancel(t.Context())
	leader := ask(leading)

	gatewaytest.Eventually(t, "the call", func() bool { return b.Count() == 1 })

	follower := ask(t.Context())

	awaitLegs(t, 2)
	leave()

	if res := <-leader; res.Status != 0 {
		t.Errorf("the one who left: %d", res.Status)
	}

	awaitLegs(t, 1)
	close(release)

	if res := <-follower; res.Status != http.StatusOK || !strings.HasSuffix(res.Header.Get(cacheStatus), "; collapsed") || b.Count() != 1 {
		t.Errorf("the one who stayed: %d %v, %d calls", res.Status, res.Header, b.Count())
	}

	if len(ended) > 0 {
		t.Errorf("the call ended: %v", <-ended)
	}

	b.FailWith(func(ctx context.Context, _ string) error {
		<-ctx.Done()

		ended <- ctx.Err()

		return nil
	})

	leaving, leaveToo := context.WithCancel(t.Context())
	first, second := ask(leaving), ask(leaving)

	gatewaytest.Eventually(t, "the call", func() bool { return b.Count() == 2 })
	awaitLegs(t, 2)
	leaveToo()
	<-first
	<-second

	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the call goes on for nobody")
	}
}
