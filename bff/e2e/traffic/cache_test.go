package traffic_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

const (
	aliceProfile = "/v1/users/alice/profile"
	getProfile   = "profile.v1.ProfileService.GetProfile"
	echo         = "every.v1.EveryService.Echo"

	cacheStatus = "Cache-Status"
	freshMiss   = "portico; fwd=uri-miss; stored"
)

func isHit(a gatewaytest.Response) bool {
	return strings.HasPrefix(a.Header.Get(cacheStatus), "portico; hit; ttl=")
}

// Five hundred clients that ask for the same at once are one call.
func TestColdMissesAreOneCall(t *testing.T) {
	// Not in parallel: it looks at what can be done in real time.
	const many = 500

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)
		gatewaytest.SetPolicy(c, getOrder, gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "600s"}})
	})
	b.Hold = make(chan struct{})

	header, client := s.As(t, "alice"), gatewaytest.PlainClient(t)

	var (
		wait     sync.WaitGroup
		mu       sync.Mutex
		statuses = map[string]int{}
	)

	for range many {
		wait.Go(func() {
			res, err := s.Send(t.Context(), client, gatewaytest.Request{Target: "/v1/orders/1", Header: header})
			if err != nil || res.Status != http.StatusOK {
				t.Errorf("%d %s %v", res.Status, res.Body, err)

				return
			}

			mu.Lock()
			defer mu.Unlock()

			name, _, _ := strings.Cut(res.Header.Get(cacheStatus), "; ttl=")
			statuses[name]++
		})
	}

	gatewaytest.Eventually(t, "the call", func() bool { return b.Count() > 0 })
	// Most are waiting by now; the others find what is kept.
	time.Sleep(300 * time.Millisecond)
	close(b.Hold)
	wait.Wait()

	if got := b.CountOf(gatewaytest.RPCGetOrder); got != 1 || statuses[freshMiss] != 1 {
		t.Errorf("%d calls; %v", got, statuses)
	}

	t.Logf("%v", statuses)
}

// Twenty users ask for the same addresses, again and again and at once, and none gets the answer of another.
func TestAnswersOfUsersDoNotMix(t *testing.T) {
	t.Parallel()

	const users, urls, rounds, atOnce = 20, 10, 5, 16 // Twice each.

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)
		// So short that there are misses in most rounds.
		gatewaytest.SetPolicy(c, getOrder, gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "0.4s", "stale_while_revalidate": "0.1s"}})
	})
	client := gatewaytest.PlainClient(t)

	var (
		work  []gatewaytest.Request
		names []string
	)

	for user := range users {
		subject := fmt.Sprint("user-", user)
		header := s.As(t, subject)

		for n := range urls * rounds {
			// The same twice in a row, so that some come at the same time.
			for range 2 {
				work = append(work, gatewaytest.Request{Target: fmt.Sprint("/v1/orders/o", n%urls), Header: header})
				names = append(names, subject)
			}
		}
	}

	order := make([]int, 0, len(work))
	for _, pair := range rand.Perm(len(work) / 2) {
		order = append(order, 2*pair, 2*pair+1)
	}

	var (
		wait               sync.WaitGroup
		next, kept, shared atomic.Int64
	)

	for range atOnce {
		wait.Go(func() {
			for n := next.Add(1) - 1; n < int64(len(order)) && !t.Failed(); n = next.Add(1) - 1 {
				i := order[n]

				var got struct{ OrderID, UserID string }

				res, err := s.Send(t.Context(), client, work[i])
				if err == nil {
					err = json.Unmarshal([]byte(res.Body), &got)
				}

				if err != nil || res.Status != http.StatusOK || got.UserID != names[i] || "/v1/orders/"+got.OrderID != work[i].Target {
					t.Errorf("%s asked for %s: %d %s %v", names[i], work[i].Target, res.Status, res.Body, err)
				}

				switch status := res.Header.Get(cacheStatus); {
				case strings.Contains(status, "hit"):
					kept.Add(1)
				case strings.Contains(status, "collapsed"):
					shared.Add(1)
				}
			}
		})
	}

	wait.Wait()
	t.Logf("%d requests, %d calls, %d kept, %d shared", len(work), b.Count(), kept.Load(), shared.Load())

	if kept.Load() == 0 || shared.Load() == 0 {
		t.Error("not all ways were taken")
	}
}

// Requests that differ in anything that counts have answers of their own, which are those that they would have without a cache.
func TestPairsOfRequestsDoNotMix(t *testing.T) {
	t.Parallel()

	cached, plain, client := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, nil, keptForAll()), gatewaytest.StartMirror(t, nil), gatewaytest.PlainClient(t)
	long := strings.Repeat("x", 3000)
	packed := func(codings string) http.Header { return http.Header{"Accept-Encoding": {codings}} }

	for name, group := range map[string][]gatewaytest.Request{
		"value":      {{Target: "/v1/every?stringField=a"}, {Target: "/v1/every?stringField=b"}, {Target: "/v1/every?stringField=A"}},
		"presence":   {{Target: "/v1/every?stringField=c"}, {Target: "/v1/every?stringField=c&optionalString="}},
		"order":      {{Target: "/v1/every?strings=a&strings=b"}, {Target: "/v1/every?strings=b&strings=a"}},
		"times":      {{Target: "/v1/every?strings=c"}, {Target: "/v1/every?strings=c&strings=c"}},
		"field":      {{Target: "/v1/every?int32Field=1"}, {Target: "/v1/every?int64Field=1"}},
		"boundaries": {{Target: "/v1/every?strings=a%26strings=b"}, {Target: "/v1/every?strings=a&strings=b%26"}},
		"path":       {{Target: "/v1/rooms/1/shelves/2/every"}, {Target: "/v1/rooms/1/shelves/3/every"}, {Target: "/v1/deep/rooms/1/shelves/2"}},
		"escapes":    {{Target: "/v1/deep/a/b"}, {Target: "/v1/deep/a%2Fb"}, {Target: "/v1/deep/a%252Fb"}},
		"template":   {{Target: "/v1/every/int32/7"}, {Target: "/v1/every/uint64/7"}},
		"body": {
			{Method: http.MethodPost, Target: "/v1/every", Body: `{"int32Field":1}`},
			{Method: http.MethodPost, Target: "/v1/every", Body: `{"int32Field":2}`},
		},
		"method": {{Target: "/v1/every"}, {Method: http.MethodPost, Target: "/v1/every", Body: "{}"}, {Method: "LOCK", Target: "/v1/every"}},
		"coding": {
			{Target: "/v1/every?stringField=" + long},
			{Target: "/v1/every?stringField=" + long, Header: packed("gzip")},
			{Target: "/v1/every?stringField=" + long, Header: packed("zstd")},
			{Target: "/v1/every?stringField=" + long, Header: packed("gzip;q=0, zstd;q=0.5")},
			{Target: "/v1/every?stringField=" + long, Header: packed("gzip, zstd")},
		},
		"type": {
			{Target: "/v1/every?stringField=t"},
			{Target: "/v1/every?stringField=t", Header: gatewaytest.Accept("application/json")},
			{Target: "/v1/every?stringField=t", Header: gatewaytest.Accept("text/html, */*;q=0.1")},
		},
		"host": {
			{Target: "/v1/every?stringField=h"},
			{Target: "/v1/every?stringField=h", Host: "a.example"},
			{Target: "/v1/every?stringField=h", Host: "b.example"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			for i, q := range append(group, group...) {
				got, want := cached.MustSend(t, client, q), plain.MustSend(t, client, q)
				if got.Status != want.Status || got.Body != want.Body ||
					got.Header.Get("Content-Encoding") != want.Header.Get("Content-Encoding") ||
					got.Header.Get("Content-Type") != want.Header.Get("Content-Type") {
					t.Errorf("%d: %.80s: got %d %v %.200s, want %d %v %.200s", i, q.Target, got.Status, got.Header, got.Body, want.Status, want.Header, want.Body)
				}

				// Writes are not kept at all. Different words may ask for the same form.
				first := i < len(group) && name != "type" && name != "coding"
				if i < len(group) != first {
					continue
				}

				if q.Method == "" && (first && got.Header.Get(cacheStatus) != freshMiss || !first && !isHit(got)) {
					t.Errorf("%d: %.80s: %s", i, q.Target, got.Header.Get(cacheStatus))
				}
			}
		})
	}

	// Only these are the same.
	for _, same := range []string{"/v1/every?int32Field=3&stringField=s", "/v1/every?stringField=s&int32Field=3", "/v1/every?utm_source=x&stringField=s&int32Field=3"} {
		cached.MustSend(t, client, gatewaytest.Request{Target: same})

		if res := cached.MustSend(t, client, gatewaytest.Request{Target: same}); !isHit(res) {
			t.Errorf("%s: %s", same, res.Header.Get(cacheStatus))
		}
	}
}

// Tenants do not see each other's answers, not even those that are for all, nor do callers in different languages.
func TestTenantsAndPassedOnHeadersDoNotMix(t *testing.T) {
	t.Parallel()

	file, keys := keysFor(t, machine{"alice", "acme"}, machine{"bob", "acme"}, machine{"alice", "other"}, machine{"alice", ""})
	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		c.Auth.APIKeys.File = file
		c.Headers.Request = []string{"Accept-Language"}
	}, bff.WithDefaultPolicy(keptForAll()))
	client := gatewaytest.PlainClient(t)

	for i, row := range []struct {
		header           http.Header
		language, tenant string
		wantState        string
	}{
		{keys[0], "de", "acme", freshMiss},
		{keys[1], "de", "acme", "portico; hit; ttl="}, // In public scope it is for the whole tenant.
		{keys[2], "de", "other", freshMiss},
		{keys[3], "de", "", freshMiss},
		{keys[1], "en", "acme", freshMiss},
		{keys[0], "en", "acme", "portico; hit; ttl="},
	} {
		header := row.header.Clone()
		header.Set("Accept-Language", row.language)

		res := s.MustSend(t, client, gatewaytest.Request{Target: "/v1/payments/1", Header: header})

		// Nobody's answer is made for one of those who share it.
		var got struct{ UserID, OrderID string }
		if err := json.Unmarshal([]byte(res.Body), &got); err != nil || got.UserID != "" ||
			got.OrderID != row.language+"/"+row.tenant || !strings.HasPrefix(res.Header.Get(cacheStatus), row.wantState) {
			t.Errorf("%d: %s %s %v", i, res.Body, res.Header.Get(cacheStatus), err)
		}

		if vary := res.Header.Get("Vary"); !strings.Contains(vary, "X-Api-Key") || !strings.Contains(vary, "Accept-Language") ||
			!strings.HasPrefix(res.Header.Get("Cache-Control"), "private, ") {
			t.Errorf("%d: Vary %q, Cache-Control %q", i, vary, res.Header.Get("Cache-Control"))
		}
	}

	if got := b.CountOf("/payment.v1.PaymentService/GetPayment"); got != 4 {
		t.Errorf("%d calls", got)
	}
}

// keptForAll is a policy that keeps answers for everybody, where methods say nothing else.
func keptForAll() *porticov1.MethodPolicy {
	return &porticov1.MethodPolicy{
		Access: &porticov1.Access{Public: true},
		Cache: &porticov1.Cache{
			Ttl: durationpb.New(10 * time.Minute), Scope: porticov1.CacheScope_CACHE_SCOPE_PUBLIC,
		},
	}
}

// What a request says in headers that do not count is in nobody's answer.
func TestUnkeyedHeadersCannotPoison(t *testing.T) {
	t.Parallel()

	s, client := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, nil, keptForAll()), gatewaytest.PlainClient(t)

	evil := http.Header{}
	for _, name := range []string{
		"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For", "X-Forwarded-Prefix", "X-Forwarded-Port", "Forwarded", "X-Host",
		"X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Request-Id", "Origin", "Referer", "Cookie", "User-Agent",
		"Grpc-Metadata-Evil", "Traceparent", "X-Portico-Subject", "Content-Language", "Last-Event-Id", "Request-Timeout-Of",
	} {
		evil.Set(name, "evil.example")
	}

	for n := range 5 {
		target := fmt.Sprint("/v1/every?stringField=", n)
		first, clean := s.MustSend(t, client, gatewaytest.Request{Target: target, Header: evil}), s.MustSend(t, client, gatewaytest.Request{Target: target})

		if first.Status != http.StatusOK || !isHit(clean) || clean.Body != first.Body {
			t.Errorf("%d %s, then %d %v %s", first.Status, first.Body, clean.Status, clean.Header, clean.Body)
		}

		if strings.Contains(fmt.Sprint(clean.Header, clean.Body), "evil") {
			t.Errorf("%v %s", clean.Header, clean.Body)
		}

		if id := clean.Header.Get("X-Request-Id"); id == "" || id == first.Header.Get("X-Request-Id") {
			t.Errorf("both have the id %q", id)
		}
	}

	// Ones that make the request fail make it fail for nobody else.
	for name, value := range map[string]string{"Accept": strings.Repeat("x", 9000), "Request-Timeout": "soon", "Range": "bytes=0-1", "If-Match": `"x"`} {
		target := "/v1/every?optionalString=" + url.QueryEscape(name)
		s.MustSend(t, client, gatewaytest.Request{Target: target, Header: http.Header{name: {value}}})

		if res := s.MustSend(t, client, gatewaytest.Request{Target: target}); res.Status != http.StatusOK || res.Body != `{"optionalString":"`+name+`"}` {
			t.Errorf("after one with %s: %d %s", name, res.Status, res.Body)
		}
	}
}

var strongTag = regexp.MustCompile(`^"[!#-~]+"$`)

// What clients and caches on the way are told.
func TestFieldsOfKeptAnswers(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		patient(c)
		gatewaytest.SetPolicy(c, getOrder, gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "60s", "stale_if_error": "600s"}})
	})
	client, header := gatewaytest.PlainClient(t), s.As(t, "alice")

	for _, row := range []struct{ target, control string }{
		{aliceProfile, "private, no-cache"}, // A write makes it obsolete.
		{"/v1/orders/1", "private, max-age=60, stale-if-error=600"},
	} {
		q := gatewaytest.Request{Target: row.target, Header: header}

		first := s.MustSend(t, client, q)
		tag := first.Header.Get("ETag")

		if first.Header.Get(cacheStatus) != freshMiss || !strongTag.MatchString(tag) || first.Header.Get("Cache-Control") != row.control ||
			first.Header.Get("Age") != "" || !strings.Contains(first.Header.Get("Vary"), "Authorization") {
			t.Errorf("%s: first %v", row.target, first.Header)
		}

		second := s.MustSend(t, client, q)
		if !isHit(second) || second.Body != first.Body || second.Header.Get("ETag") != tag || second.Header.Get("Age") == "" ||
			second.Header.Get("Cache-Control") != row.control || second.Header.Get("Content-Type") != "application/json" ||
			second.Header.Get("Content-Length") != fmt.Sprint(len(first.Body)) {
			t.Errorf("%s: second %v", row.target, second.Header)
		}

		head := s.MustSend(t, client, gatewaytest.Request{Method: http.MethodHead, Target: row.target, Header: header})
		if head.Status != http.StatusOK || head.Body != "" || head.Header.Get("ETag") != tag || !isHit(head) ||
			head.Header.Get("Content-Length") != fmt.Sprint(len(first.Body)) {
			t.Errorf("%s: HEAD %d %v", row.target, head.Status, head.Header)
		}

		for match, status := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200} {
			known := header.Clone()
			known.Set("If-None-Match", match)

			res := s.MustSend(t, client, gatewaytest.Request{Target: row.target, Header: known})
			if res.Status != status || (res.Body == "") != (status == 304) || res.Header.Get("ETag") != tag ||
				res.Header.Get("Cache-Control") != row.control || res.Header.Get("Vary") == "" {
				t.Errorf("%s: If-None-Match %s: %d %v", row.target, match, res.Status, res.Header)
			}
		}
	}

	if got := b.TakeCalls(); len(got) != 2 {
		t.Errorf("%v", gatewaytest.RPCs(got))
	}

	forced := header.Clone()
	forced.Set("Cache-Control", "no-cache")

	if res := s.MustSend(t, client, gatewaytest.Request{Target: aliceProfile, Header: forced}); res.Header.Get(cacheStatus) != "portico; fwd=request; stored" || b.Count() != 1 {
		t.Errorf("%v, %d calls", res.Header, b.Count())
	}

	only := header.Clone()
	only.Set("Cache-Control", "only-if-cached")

	if res := s.MustSend(t, client, gatewaytest.Request{Target: "/v1/orders/other", Header: only}); res.Status != http.StatusGatewayTimeout || b.Count() != 1 {
		t.Errorf("%d %v, %d calls", res.Status, res.Header, b.Count())
	}
}
