package bff_test

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
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/gen"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// Whoever has the answer to a write sees what it changed, at each gateway, though both had kept what was before.
func TestWritesAreSeenAtTheOtherGateway(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	twins, b := startTwins(t, func(c *config.Config) {
		c.Redis = config.Redis{URL: server.URL(), Timeout: 2 * time.Second}
		unlimited(c)
	})
	header, client := twins[0].as(t, "alice"), plainClient(t)
	// Before gateways there is something that gives them one name.
	const host = "shop.example"

	read := inquiry{target: aliceProfile, header: header, host: host}

	misses := 0
	ask := func(s *site) answer {
		res := s.must(t, client, read)
		if !isHit(res) {
			misses++
		}

		return res
	}
	// What is kept reaches Redis a moment after the answer.
	kept := func(s *site) bool {
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

		if res := writer.must(t, client, inquiry{method: http.MethodPatch, target: aliceProfile, header: header, host: host, body: `{"bio":"` + bio + `"}`}); res.status != http.StatusOK {
			t.Fatalf("%d %s", res.status, res.body)
		}

		if res := ask(reader); !strings.Contains(res.body, `"`+bio+`"`) || res.header.Get(cacheStatus) != freshMiss {
			t.Errorf("%d: after the write: %s %s", n, res.header.Get(cacheStatus), res.body)
		}
	}

	if got := b.countOf(rpcGetProfile); got != misses {
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

	first, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)

		cfg = *c
	})

	gw, err := newGateway(t.Context(), t, cfg, quiet(), bff.WithServices(gen.Services()...),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, func(connect bff.Connect) (dashboardv1.DashboardServiceServer, error) {
			conn, err := connect("profile")

			return writingDashboard{profiles: profilev1.NewProfileServiceClient(conn)}, err
		}))
	if err != nil {
		t.Fatal(err)
	}

	s := &site{backend: b.backend, gw: gw, url: serve(t, gw)}
	header, client := first.as(t, "alice"), plainClient(t)
	read := inquiry{target: aliceProfile, header: header}

	s.must(t, client, read)

	if res := s.must(t, client, read); !isHit(res) {
		t.Fatalf("%s", res.header.Get(cacheStatus))
	}

	if res := s.must(t, client, inquiry{target: "/v1/me/dashboard", header: header}); res.status != http.StatusOK {
		t.Fatalf("%d %s", res.status, res.body)
	}

	if res := s.must(t, client, read); !strings.Contains(res.body, "by a leg") {
		t.Errorf("%s %s", res.header.Get(cacheStatus), res.body)
	}
}

// failing lets calls of a method end so.
func failing(rpc string, code codes.Code) trouble {
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

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)

		kept := object{"cache": object{"ttl": "600s"}}
		setPolicy(c, "dashboard.v1.DashboardService.GetMyDashboard", kept)
		setPolicy(c, getOrder, kept)
	})
	header, client := s.as(t, "alice"), plainClient(t)
	dashboard := inquiry{target: "/v1/me/dashboard", header: header}

	b.becomes(failing(rpcGetProfile, codes.Internal))

	for range 2 {
		res := s.must(t, client, dashboard)
		if res.status != http.StatusOK || !strings.Contains(res.body, "partialErrors") || res.header.Get(cacheStatus) != "portico; fwd=uri-miss" ||
			res.header.Get("Cache-Control") != "no-store" {
			t.Errorf("partial: %d %v %s", res.status, res.header, res.body)
		}
	}

	b.heal()

	if res := s.must(t, client, dashboard); strings.Contains(res.body, "partialErrors") || res.header.Get(cacheStatus) != freshMiss {
		t.Errorf("complete: %v %s", res.header, res.body)
	}

	b.becomes(failing(rpcGetProfile, codes.Internal))

	if res := s.must(t, client, dashboard); !isHit(res) || strings.Contains(res.body, "partialErrors") {
		t.Errorf("kept: %v %s", res.header, res.body)
	}

	for i, code := range []codes.Code{codes.NotFound, codes.Internal, codes.PermissionDenied, codes.InvalidArgument} {
		q := inquiry{target: fmt.Sprint("/v1/orders/", i), header: header}

		b.becomes(failing(rpcGetOrder, code))

		for range 2 {
			if res := s.must(t, client, q); res.status < 400 || strings.Contains(res.header.Get(cacheStatus), "stored") {
				t.Errorf("%s: %d %v", code, res.status, res.header)
			}
		}

		b.heal()

		if res := s.must(t, client, q); res.status != http.StatusOK || res.header.Get(cacheStatus) != freshMiss {
			t.Errorf("after %s: %d %v", code, res.status, res.header)
		}
	}
}

// While the backend is down, and for as long as it is allowed, there is still what was kept; for errors of the client there is not.
func TestStaleAnswersWhileTheBackendIsDown(t *testing.T) {
	t.Parallel()

	const target = "/v1/orders/1"

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)
		setPolicy(c, getOrder, object{"cache": object{"ttl": "0.2s", "stale_if_error": "600s"}})
	})
	header, client := s.as(t, "alice"), plainClient(t)
	q := inquiry{target: target, header: header}

	first := s.must(t, client, q)
	if first.status != http.StatusOK {
		t.Fatalf("%d %s", first.status, first.body)
	}

	time.Sleep(300 * time.Millisecond)
	b.becomes(failing(rpcGetOrder, codes.NotFound))

	if res := s.must(t, client, q); res.status != http.StatusNotFound {
		t.Errorf("gone for good: %d %v", res.status, res.header)
	}

	b.heal()
	s.must(t, client, q)
	time.Sleep(300 * time.Millisecond)
	b.stop()

	// The breaker is closed at first, and open later.
	for range 30 {
		res := s.must(t, client, q)
		if res.status != http.StatusOK || res.body != first.body || !strings.HasPrefix(res.header.Get(cacheStatus), "portico; fwd=stale; ") ||
			res.header.Get("Age") == "" {
			t.Fatalf("%d %v %s", res.status, res.header, res.body)
		}
	}

	if res := s.must(t, client, inquiry{target: "/v1/orders/2", header: header}); res.status != http.StatusServiceUnavailable {
		t.Errorf("what was never kept: %d", res.status)
	}

	if res := s.must(t, client, inquiry{target: target, header: s.as(t, "bob")}); res.status != http.StatusServiceUnavailable {
		t.Errorf("what was kept for another: %d %s", res.status, res.body)
	}
}

// An old answer is given out at once, and a new one fetched behind it.
func TestStaleWhileRevalidate(t *testing.T) {
	t.Parallel()

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)
		setPolicy(c, getProfile, object{"cache": object{"ttl": "0.2s", "stale_while_revalidate": "600s"}})
	})
	client := plainClient(t)
	q := inquiry{target: aliceProfile, header: s.as(t, "alice")}

	s.must(t, client, q)

	later := "later"
	b.bio.Store(&later)
	time.Sleep(300 * time.Millisecond)

	res := s.must(t, client, q)
	if res.status != http.StatusOK || strings.Contains(res.body, later) || !strings.HasSuffix(res.header.Get(cacheStatus), "; detail=stale-while-revalidate") {
		t.Errorf("%v %s", res.header, res.body)
	}

	eventually(t, "the new answer", func() bool { return strings.Contains(s.must(t, client, q).body, later) })
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

			s, _ := startTroubledSite(t, func(c *config.Config) {
				unlimited(c)

				c.Auth.APIKeys.File, c.Auth.APIKeys.ReloadInterval = file, 20*time.Millisecond
			}, bff.WithDefaultPolicy(kept))
			client := plainClient(t)

			ask := func(header http.Header) answer {
				return s.must(t, client, inquiry{target: "/v1/users/alice", header: header})
			}

			admin := s.as(t, "bob", "users:admin")
			ask(admin)
			ask(keys[0])

			if res := ask(admin); !isHit(res) {
				t.Errorf("%v", res.header)
			}

			for name, row := range map[string]struct {
				header http.Header
				status int
			}{
				"without_the_scope": {s.as(t, "bob"), http.StatusForbidden},
				"another":           {s.as(t, "carol"), http.StatusForbidden},
				"nobody":            {nil, http.StatusUnauthorized},
				"forged":            {http.Header{"Authorization": {admin.Get("Authorization") + "x"}}, http.StatusUnauthorized},
			} {
				if res := ask(row.header); res.status != row.status || strings.Contains(res.body, "userId") || res.header.Get("ETag") != "" {
					t.Errorf("%s: %d %v %s", name, res.status, res.header, res.body)
				}
			}

			if res := ask(keys[0]); !isHit(res) {
				t.Errorf("%v", res.header)
			}

			if err := os.WriteFile(file, []byte("keys: []\n"), 0o600); err != nil {
				t.Fatal(err)
			}

			eventually(t, "the key being revoked", func() bool { return ask(keys[0]).status == http.StatusUnauthorized })
		})
	}
}

// Turned off, nothing is kept, and requests at the same time still share a call.
func TestCacheCanBeTurnedOff(t *testing.T) {
	t.Parallel()

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)
		// Calls are counted: there are none that a hedge makes.
		setPolicy(c, getProfile, object{"retry": object{"max_attempts": 1}})

		c.Cache.Disabled = true
	})
	client := plainClient(t)
	q := inquiry{target: aliceProfile, header: s.as(t, "alice")}

	for range 2 {
		if res := s.must(t, client, q); res.header.Get(cacheStatus) != "portico; fwd=bypass" || res.header.Get("Cache-Control") != "no-store" ||
			res.header.Get("ETag") != "" || res.header.Get("Age") != "" {
			t.Errorf("%v", res.header)
		}
	}

	if got := b.taken(); len(got) != 2 {
		t.Errorf("%v", rpcs(got))
	}

	// Which requests come while there is a call is up to the machine; each of the others makes one.
	eventually(t, "a shared call", func() bool {
		const many = 20

		collapsed := together(t, s, b, client, q, many)
		if got := len(b.taken()); got != many-collapsed {
			t.Fatalf("%d calls for %d requests that shared none", got, many-collapsed)
		}

		return collapsed > 0
	})
}

// together sends so many requests while the backend holds the first call, and returns how many shared one.
func together(t *testing.T, s *site, b *troubled, client *http.Client, q inquiry, many int) int {
	t.Helper()

	release := make(chan struct{})

	b.becomes(func(context.Context, string) error {
		<-release

		return nil
	})

	answered := make(chan bool, many)
	for range many {
		go func() {
			res, err := s.ask(t.Context(), client, q)
			if err != nil || res.status != http.StatusOK {
				t.Errorf("%v, %d %s", err, res.status, res.body)
			}

			answered <- strings.HasSuffix(res.header.Get(cacheStatus), "; collapsed")
		}()
	}

	eventually(t, "the call", func() bool { return b.count() > 0 })
	// Something else takes long enough for others to come.
	s.must(t, client, inquiry{target: "/v1/nothing", header: q.header})
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
	t.Parallel()

	s, b := startTroubledSite(t, unlimited)
	client, header := plainClient(t), s.as(t, "alice")
	ended, release := make(chan error, 10), make(chan struct{})

	b.becomes(func(ctx context.Context, _ string) error {
		select {
		case <-release:
		case <-ctx.Done():
			ended <- ctx.Err()
		}

		return nil
	})

	// GetOrder keeps nothing and shares calls.
	ask := func(ctx context.Context) <-chan answer {
		answered := make(chan answer, 1)

		go func() {
			res, err := s.ask(ctx, client, inquiry{target: "/v1/orders/1", header: header})
			if err != nil {
				res.status = 0
			}

			answered <- res
		}()

		return answered
	}

	leading, leave := context.WithCancel(t.Context())
	leader := ask(leading)

	eventually(t, "the call", func() bool { return b.count() == 1 })

	follower := ask(t.Context())

	time.Sleep(200 * time.Millisecond)
	leave()

	if res := <-leader; res.status != 0 {
		t.Errorf("the one who left: %d", res.status)
	}

	time.Sleep(100 * time.Millisecond)
	close(release)

	if res := <-follower; res.status != http.StatusOK || !strings.HasSuffix(res.header.Get(cacheStatus), "; collapsed") || b.count() != 1 {
		t.Errorf("the one who stayed: %d %v, %d calls", res.status, res.header, b.count())
	}

	if len(ended) > 0 {
		t.Errorf("the call ended: %v", <-ended)
	}

	b.becomes(func(ctx context.Context, _ string) error {
		<-ctx.Done()

		ended <- ctx.Err()

		return nil
	})

	leaving, leaveToo := context.WithCancel(t.Context())
	first, second := ask(leaving), ask(leaving)

	eventually(t, "the call", func() bool { return b.count() == 2 })
	time.Sleep(100 * time.Millisecond)
	leaveToo()
	<-first
	<-second

	select {
	case <-ended:
	case <-time.After(time.Second):
		t.Error("the call goes on for nobody")
	}
}
