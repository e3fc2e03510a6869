package traffic_test

import (
	"context"
	"net/http"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

const (
	myDashboard    = "/v1/me/dashboard"
	getMyDashboard = "dashboard.v1.DashboardService.GetMyDashboard"
)

// legRPCs are what a dashboard calls.
var legRPCs = []string{gatewaytest.RPCGetUser, gatewaytest.RPCListOrders, gatewaytest.RPCGetProfile}

// patient is gatewaytest.Patient for tests that send a lot.
func patient(c *config.Config) {
	gatewaytest.Unlimited(c)
	gatewaytest.Patient(c)
}

// waiting matches what a goroutine does that waits for a shared call, in a profile of all goroutines.
var waiting = regexp.MustCompile(`(?m)^(\d+) @ .*\n(?:#.*\n)*?#.*/cache\.\(\*lookup\)\.wait\+`)

// waitingLegs is how many legs or requests wait for a call that they may share.
func waitingLegs(t *testing.T) int {
	t.Helper()

	var profile strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}

	n := 0

	for _, group := range waiting.FindAllStringSubmatch(profile.String(), -1) {
		count, err := strconv.Atoi(group[1])
		if err != nil {
			t.Fatal(err)
		}

		n += count
	}

	return n
}

// awaitLegs returns when so many legs or requests wait for a call.
func awaitLegs(t *testing.T, want int) {
	t.Helper()

	// A profile of thousands of goroutines takes a while.
	const pause, most = 100 * time.Millisecond, 100 * time.Second

	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()

	tick := time.NewTicker(pause)
	defer tick.Stop()

	for got := waitingLegs(t); got != want; got = waitingLegs(t) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d legs wait, want %d", got, want)
		}
	}
}

// A thousand equal dashboards of one caller at the same time are three calls, though no policy says anything about caching.
func TestEqualDashboardsAtOnceAreThreeCalls(t *testing.T) {
	// Not in parallel: it counts the legs of all gateways in the process.
	const many = 1000

	s, b := gatewaytest.StartFlaky(t, patient)
	b.Hold = make(chan struct{})

	client, header := gatewaytest.PlainClient(t), s.As(t, "alice")
	bodies := make(chan string, many)

	var all sync.WaitGroup

	for range many {
		all.Go(func() {
			res, err := s.Send(t.Context(), client, gatewaytest.Request{Target: myDashboard, Header: header})
			if err != nil || res.Status != http.StatusOK {
				t.Errorf("%d %s %v", res.Status, res.Body, err)
			}

			bodies <- res.Body
		})
	}

	awaitLegs(t, many*len(legRPCs))
	close(b.Hold)
	all.Wait()
	close(bodies)

	for body := range bodies {
		if strings.Contains(body, "partialErrors") || !strings.Contains(body, `"orderId":"o1"`) {
			t.Fatalf("got %s", body)
		}
	}

	for _, rpc := range legRPCs {
		if got := b.CountOf(rpc); got != 1 {
			t.Errorf("%d calls of %s", got, rpc)
		}
	}
}

// A client that hangs up ends the calls for its dashboard only if nobody else waits for them.
func TestOtherDashboardsDoNotNoticeWhoHangsUp(t *testing.T) {
	// Not in parallel: it counts the legs of all gateways in the process.
	s, b := gatewaytest.StartFlaky(t, patient)
	b.Hold = make(chan struct{})

	client, request := gatewaytest.PlainClient(t), gatewaytest.Request{Target: myDashboard, Header: s.As(t, "alice")}
	ctx, hangUp := context.WithCancel(t.Context())
	left, stayed := make(chan error, 1), make(chan gatewaytest.Response, 1)

	go func() {
		_, err := s.Send(ctx, client, request)
		left <- err
	}()

	gatewaytest.Eventually(t, "the calls", func() bool { return b.Count() == len(legRPCs) })

	go func() {
		res, err := s.Send(t.Context(), client, request)
		if err != nil {
			t.Error(err)
		}

		stayed <- res
	}()

	awaitLegs(t, 2*len(legRPCs))
	hangUp()
	<-left
	awaitLegs(t, len(legRPCs))
	close(b.Hold)

	if res := <-stayed; res.Status != http.StatusOK || strings.Contains(res.Body, "partialErrors") {
		t.Errorf("got %d %s", res.Status, res.Body)
	}

	if got := b.Count(); got != len(legRPCs) {
		t.Errorf("%d calls", got)
	}
}

// A leg obeys the cache policy of the profile: it is stored for its caller until a write makes it obsolete.
func TestLegsObeyTheCachePolicyOfWhatTheyCall(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, patient)
	client := gatewaytest.PlainClient(t)
	alice, bob := s.As(t, "alice"), s.As(t, "bob")

	steps := []struct {
		name    string
		request gatewaytest.Request
		// profiles and users are how many calls there were by then.
		profiles, users int
		want            string
	}{
		{"miss", gatewaytest.Request{Target: myDashboard, Header: alice}, 1, 1, `"userId":"alice"`},
		{"hit", gatewaytest.Request{Target: myDashboard, Header: alice}, 1, 2, `"userId":"alice"`},
		{"another_caller", gatewaytest.Request{Target: myDashboard, Header: bob}, 2, 3, `"userId":"bob"`},
		{
			"write",
			gatewaytest.Request{Method: http.MethodPatch, Target: aliceProfile, Header: alice, Body: `{"bio":"Climbs."}`},
			2, 3, "Climbs.",
		},
		{"after_the_write", gatewaytest.Request{Target: myDashboard, Header: alice}, 3, 4, "Climbs."},
		{"another_caller_again", gatewaytest.Request{Target: myDashboard, Header: bob}, 3, 5, `"userId":"bob"`},
		{"forced", gatewaytest.Request{Target: myDashboard, Header: with(alice, "Cache-Control", "no-cache")}, 4, 6, "Climbs."},
		// The route of the profile has entries of its own.
		{"route", gatewaytest.Request{Target: aliceProfile, Header: alice}, 5, 6, "Climbs."},
	}

	for _, step := range steps {
		res := s.MustSend(t, client, step.request)
		if res.Status != http.StatusOK || !strings.Contains(res.Body, step.want) || strings.Contains(res.Body, "partialErrors") {
			t.Errorf("%s: got %d %s", step.name, res.Status, res.Body)
		}

		if profiles, users := b.CountOf(gatewaytest.RPCGetProfile), b.CountOf(gatewaytest.RPCGetUser); profiles != step.profiles ||
			users != step.users {
			t.Errorf("%s: %d profiles and %d users, want %d and %d", step.name, profiles, users, step.profiles, step.users)
		}
	}

	metrics := gatewaytest.AdminGet(t, s.Gateway, "/metrics").Body
	for _, want := range []string{
		`portico_cache_events_total{event="hit",rpc="profile.v1.ProfileService.GetProfile"} 2`,
		`portico_cache_events_total{event="miss",rpc="user.v1.UserService.GetUser"} 6`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

// with is a header with another field.
func with(header http.Header, name, value string) http.Header {
	out := header.Clone()
	out.Set(name, value)

	return out
}

// A profile that was stored takes the place of one that cannot be had, and the page is complete.
func TestStaleLegsAreBetterThanMissingParts(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		patient(c)
		gatewaytest.SetPolicy(c, getProfile, gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "0.001s", "stale_if_error": "600s"}})
	})
	client, request := gatewaytest.PlainClient(t), gatewaytest.Request{Target: myDashboard, Header: s.As(t, "alice")}
	bio := "Climbs."

	b.Bio.Store(&bio)

	if res := s.MustSend(t, client, request); !strings.Contains(res.Body, bio) {
		t.Fatalf("got %d %s", res.Status, res.Body)
	}

	b.FailWith(failing(gatewaytest.RPCGetProfile, codes.Unavailable))

	gatewaytest.Eventually(t, "a failed call", func() bool {
		res := s.MustSend(t, client, request)
		if res.Status != http.StatusOK || !strings.Contains(res.Body, bio) || strings.Contains(res.Body, "partialErrors") {
			t.Errorf("got %d %s", res.Status, res.Body)
		}

		return strings.Contains(s.Logs.String(), "served a stale response instead of 503")
	})
}

// What backends get of a header may be what they reply with.
func TestLegsWithOtherHeadersShareNothing(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		patient(c)

		c.Headers.Request = []string{"Accept-Language"}
	})
	client, header := gatewaytest.PlainClient(t), s.As(t, "alice")

	for i, language := range []string{"de", "fr", "de"} {
		if res := s.MustSend(t, client, gatewaytest.Request{
			Target: myDashboard, Header: with(header, "Accept-Language", language),
		}); res.Status != http.StatusOK {
			t.Errorf("%s: got %d %s", language, res.Status, res.Body)
		}

		if got := b.CountOf(gatewaytest.RPCGetProfile); got != min(i+1, 2) {
			t.Errorf("%s: %d calls", language, got)
		}
	}
}

// Nobody who has written something gets a dashboard whose parts were read before, though no tags say what was written.
func TestLegsAfterAWriteAreCallsOfTheirOwn(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, patient)
	client, header := gatewaytest.PlainClient(t), s.As(t, "alice")
	request := gatewaytest.Request{Target: myDashboard, Header: header}

	var lists atomic.Int64

	release := make(chan struct{})
	b.FailWith(func(ctx context.Context, rpc string) error {
		if rpc == gatewaytest.RPCListOrders && lists.Add(1) == 1 {
			select {
			case <-release:
			case <-ctx.Done():
			}
		}

		return nil
	})

	before := make(chan gatewaytest.Response, 1)

	go func() {
		res, err := s.Send(t.Context(), client, request)
		if err != nil {
			t.Error(err)
		}

		before <- res
	}()

	gatewaytest.Eventually(t, "the first list", func() bool { return lists.Load() == 1 })

	if res := s.MustSend(t, client, gatewaytest.Request{
		Method: http.MethodPost, Target: "/v1/orders", Header: with(header, "Idempotency-Key", `"k"`), Body: gatewaytest.OrderFor("alice"),
	}); res.Status != http.StatusCreated {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	// It would wait for the first one.
	if res := s.MustSend(t, client, request); res.Status != http.StatusOK || lists.Load() != 2 {
		t.Errorf("got %d %s after %d lists", res.Status, res.Body, lists.Load())
	}

	close(release)

	if res := <-before; res.Status != http.StatusOK {
		t.Errorf("got %d %s", res.Status, res.Body)
	}
}
