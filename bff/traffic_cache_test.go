package bff_test

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
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

const (
	aliceProfile = "/v1/users/alice/profile"
	getProfile   = "profile.v1.ProfileService.GetProfile"
	echo         = "every.v1.EveryService.Echo"

	cacheStatus = "Cache-Status"
	freshMiss   = "portico; fwd=uri-miss; stored"
)

func isHit(a answer) bool { return strings.HasPrefix(a.header.Get(cacheStatus), "portico; hit; ttl=") }

// Five hundred clients that ask for the same at once are one call.
func TestColdMissesAreOneCall(t *testing.T) {
	// Not in parallel: it looks at what can be done in real time.
	const many = 500

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)
		setPolicy(c, getOrder, object{"cache": object{"ttl": "600s"}})
	})
	b.hold = make(chan struct{})

	header, client := s.as(t, "alice"), plainClient(t)

	var (
		wait     sync.WaitGroup
		mu       sync.Mutex
		statuses = map[string]int{}
	)

	for range many {
		wait.Go(func() {
			res, err := s.ask(t.Context(), client, inquiry{target: "/v1/orders/1", header: header})
			if err != nil || res.status != http.StatusOK {
				t.Errorf("%d %s %v", res.status, res.body, err)

				return
			}

			mu.Lock()
			defer mu.Unlock()

			name, _, _ := strings.Cut(res.header.Get(cacheStatus), "; ttl=")
			statuses[name]++
		})
	}

	eventually(t, "the call", func() bool { return b.count() > 0 })
	// Most are waiting by now; the others find what is kept.
	time.Sleep(300 * time.Millisecond)
	close(b.hold)
	wait.Wait()

	if got := b.countOf(rpcGetOrder); got != 1 || statuses[freshMiss] != 1 {
		t.Errorf("%d calls; %v", got, statuses)
	}

	t.Logf("%v", statuses)
}

// Forty users ask for the same addresses, again and again and at once, and none gets the answer of another.
func TestAnswersOfUsersDoNotMix(t *testing.T) {
	t.Parallel()

	const users, urls, rounds, atOnce = 40, 10, 5, 16 // Twice each.

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)
		// So short that there are misses in most rounds.
		setPolicy(c, getOrder, object{"cache": object{"ttl": "0.4s", "stale_while_revalidate": "0.1s"}})
	})
	client := plainClient(t)

	var (
		work  []inquiry
		names []string
	)

	for user := range users {
		subject := fmt.Sprint("user-", user)
		header := s.as(t, subject)

		for n := range urls * rounds {
			// The same twice in a row, so that some come at the same time.
			for range 2 {
				work = append(work, inquiry{target: fmt.Sprint("/v1/orders/o", n%urls), header: header})
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

				res, err := s.ask(t.Context(), client, work[i])
				if err == nil {
					err = json.Unmarshal([]byte(res.body), &got)
				}

				if err != nil || res.status != http.StatusOK || got.UserID != names[i] || "/v1/orders/"+got.OrderID != work[i].target {
					t.Errorf("%s asked for %s: %d %s %v", names[i], work[i].target, res.status, res.body, err)
				}

				switch status := res.header.Get(cacheStatus); {
				case strings.Contains(status, "hit"):
					kept.Add(1)
				case strings.Contains(status, "collapsed"):
					shared.Add(1)
				}
			}
		})
	}

	wait.Wait()
	t.Logf("%d requests, %d calls, %d kept, %d shared", len(work), b.count(), kept.Load(), shared.Load())

	if kept.Load() == 0 || shared.Load() == 0 {
		t.Error("not all ways were taken")
	}
}

// Requests that differ in anything that counts have answers of their own, which are those that they would have without a cache.
func TestPairsOfRequestsDoNotMix(t *testing.T) {
	t.Parallel()

	cached, plain, client := startMirrorOf(t, mirror{}, nil, keptForAll()), startMirror(t, nil), plainClient(t)
	long := strings.Repeat("x", 3000)
	packed := func(codings string) http.Header { return http.Header{"Accept-Encoding": {codings}} }

	for name, group := range map[string][]inquiry{
		"value":      {{target: "/v1/every?stringField=a"}, {target: "/v1/every?stringField=b"}, {target: "/v1/every?stringField=A"}},
		"presence":   {{target: "/v1/every?stringField=c"}, {target: "/v1/every?stringField=c&optionalString="}},
		"order":      {{target: "/v1/every?strings=a&strings=b"}, {target: "/v1/every?strings=b&strings=a"}},
		"times":      {{target: "/v1/every?strings=c"}, {target: "/v1/every?strings=c&strings=c"}},
		"field":      {{target: "/v1/every?int32Field=1"}, {target: "/v1/every?int64Field=1"}},
		"boundaries": {{target: "/v1/every?strings=a%26strings=b"}, {target: "/v1/every?strings=a&strings=b%26"}},
		"path":       {{target: "/v1/rooms/1/shelves/2/every"}, {target: "/v1/rooms/1/shelves/3/every"}, {target: "/v1/deep/rooms/1/shelves/2"}},
		"escapes":    {{target: "/v1/deep/a/b"}, {target: "/v1/deep/a%2Fb"}, {target: "/v1/deep/a%252Fb"}},
		"template":   {{target: "/v1/every/int32/7"}, {target: "/v1/every/uint64/7"}},
		"body": {
			{method: http.MethodPost, target: "/v1/every", body: `{"int32Field":1}`},
			{method: http.MethodPost, target: "/v1/every", body: `{"int32Field":2}`},
		},
		"method": {{target: "/v1/every"}, {method: http.MethodPost, target: "/v1/every", body: "{}"}, {method: "LOCK", target: "/v1/every"}},
		"coding": {
			{target: "/v1/every?stringField=" + long},
			{target: "/v1/every?stringField=" + long, header: packed("gzip")},
			{target: "/v1/every?stringField=" + long, header: packed("zstd")},
			{target: "/v1/every?stringField=" + long, header: packed("gzip;q=0, zstd;q=0.5")},
			{target: "/v1/every?stringField=" + long, header: packed("gzip, zstd")},
		},
		"type": {
			{target: "/v1/every?stringField=t"},
			{target: "/v1/every?stringField=t", header: accepting("application/json")},
			{target: "/v1/every?stringField=t", header: accepting("text/html, */*;q=0.1")},
		},
		"host": {
			{target: "/v1/every?stringField=h"},
			{target: "/v1/every?stringField=h", host: "a.example"},
			{target: "/v1/every?stringField=h", host: "b.example"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			for i, q := range append(group, group...) {
				got, want := cached.must(t, client, q), plain.must(t, client, q)
				if got.status != want.status || got.body != want.body ||
					got.header.Get("Content-Encoding") != want.header.Get("Content-Encoding") ||
					got.header.Get("Content-Type") != want.header.Get("Content-Type") {
					t.Errorf("%d: %.80s: got %d %v %.200s, want %d %v %.200s", i, q.target, got.status, got.header, got.body, want.status, want.header, want.body)
				}

				// Writes are not kept at all. Different words may ask for the same form.
				first := i < len(group) && name != "type" && name != "coding"
				if i < len(group) != first {
					continue
				}

				if q.method == "" && (first && got.header.Get(cacheStatus) != freshMiss || !first && !isHit(got)) {
					t.Errorf("%d: %.80s: %s", i, q.target, got.header.Get(cacheStatus))
				}
			}
		})
	}

	// Only these are the same.
	for _, same := range []string{"/v1/every?int32Field=3&stringField=s", "/v1/every?stringField=s&int32Field=3", "/v1/every?utm_source=x&stringField=s&int32Field=3"} {
		cached.must(t, client, inquiry{target: same})

		if res := cached.must(t, client, inquiry{target: same}); !isHit(res) {
			t.Errorf("%s: %s", same, res.header.Get(cacheStatus))
		}
	}
}

// Tenants do not see each other's answers, not even those that are for all, nor do callers in different languages.
func TestTenantsAndPassedOnHeadersDoNotMix(t *testing.T) {
	t.Parallel()

	file, keys := keysFor(t, machine{"alice", "acme"}, machine{"bob", "acme"}, machine{"alice", "other"}, machine{"alice", ""})
	s, b := startTroubledSite(t, func(c *config.Config) {
		c.Auth.APIKeys.File = file
		c.Headers.Request = []string{"Accept-Language"}
	}, bff.WithDefaultPolicy(keptForAll()))
	client := plainClient(t)

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

		res := s.must(t, client, inquiry{target: "/v1/payments/1", header: header})

		// Nobody's answer is made for one of those who share it.
		var got struct{ UserID, OrderID string }
		if err := json.Unmarshal([]byte(res.body), &got); err != nil || got.UserID != "" ||
			got.OrderID != row.language+"/"+row.tenant || !strings.HasPrefix(res.header.Get(cacheStatus), row.wantState) {
			t.Errorf("%d: %s %s %v", i, res.body, res.header.Get(cacheStatus), err)
		}

		if vary := res.header.Get("Vary"); !strings.Contains(vary, "X-Api-Key") || !strings.Contains(vary, "Accept-Language") ||
			!strings.HasPrefix(res.header.Get("Cache-Control"), "private, ") {
			t.Errorf("%d: Vary %q, Cache-Control %q", i, vary, res.header.Get("Cache-Control"))
		}
	}

	if got := b.countOf("/payment.v1.PaymentService/GetPayment"); got != 4 {
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

	s, client := startMirrorOf(t, mirror{}, nil, keptForAll()), plainClient(t)

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
		first, clean := s.must(t, client, inquiry{target: target, header: evil}), s.must(t, client, inquiry{target: target})

		if first.status != http.StatusOK || !isHit(clean) || clean.body != first.body {
			t.Errorf("%d %s, then %d %v %s", first.status, first.body, clean.status, clean.header, clean.body)
		}

		if strings.Contains(fmt.Sprint(clean.header, clean.body), "evil") {
			t.Errorf("%v %s", clean.header, clean.body)
		}

		if id := clean.header.Get("X-Request-Id"); id == "" || id == first.header.Get("X-Request-Id") {
			t.Errorf("both have the id %q", id)
		}
	}

	// Ones that make the request fail make it fail for nobody else.
	for name, value := range map[string]string{"Accept": strings.Repeat("x", 9000), "Request-Timeout": "soon", "Range": "bytes=0-1", "If-Match": `"x"`} {
		target := "/v1/every?optionalString=" + url.QueryEscape(name)
		s.must(t, client, inquiry{target: target, header: http.Header{name: {value}}})

		if res := s.must(t, client, inquiry{target: target}); res.status != http.StatusOK || res.body != `{"optionalString":"`+name+`"}` {
			t.Errorf("after one with %s: %d %s", name, res.status, res.body)
		}
	}
}

var strongTag = regexp.MustCompile(`^"[!#-~]+"$`)

// What clients and caches on the way are told.
func TestFieldsOfKeptAnswers(t *testing.T) {
	t.Parallel()

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)
		setPolicy(c, getOrder, object{"cache": object{"ttl": "60s", "stale_if_error": "600s"}})
	})
	client, header := plainClient(t), s.as(t, "alice")

	for _, row := range []struct{ target, control string }{
		{aliceProfile, "private, no-cache"}, // A write makes it obsolete.
		{"/v1/orders/1", "private, max-age=60, stale-if-error=600"},
	} {
		q := inquiry{target: row.target, header: header}

		first := s.must(t, client, q)
		tag := first.header.Get("ETag")

		if first.header.Get(cacheStatus) != freshMiss || !strongTag.MatchString(tag) || first.header.Get("Cache-Control") != row.control ||
			first.header.Get("Age") != "" || !strings.Contains(first.header.Get("Vary"), "Authorization") {
			t.Errorf("%s: first %v", row.target, first.header)
		}

		second := s.must(t, client, q)
		if !isHit(second) || second.body != first.body || second.header.Get("ETag") != tag || second.header.Get("Age") == "" ||
			second.header.Get("Cache-Control") != row.control || second.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: second %v", row.target, second.header)
		}

		head := s.must(t, client, inquiry{method: http.MethodHead, target: row.target, header: header})
		if head.status != http.StatusOK || head.body != "" || head.header.Get("ETag") != tag || !isHit(head) ||
			head.header.Get("Content-Length") != fmt.Sprint(len(first.body)) {
			t.Errorf("%s: HEAD %d %v", row.target, head.status, head.header)
		}

		for match, status := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200} {
			known := header.Clone()
			known.Set("If-None-Match", match)

			res := s.must(t, client, inquiry{target: row.target, header: known})
			if res.status != status || (res.body == "") != (status == 304) || res.header.Get("ETag") != tag ||
				res.header.Get("Cache-Control") != row.control || res.header.Get("Vary") == "" {
				t.Errorf("%s: If-None-Match %s: %d %v", row.target, match, res.status, res.header)
			}
		}
	}

	if got := b.taken(); len(got) != 2 {
		t.Errorf("%v", rpcs(got))
	}

	forced := header.Clone()
	forced.Set("Cache-Control", "no-cache")

	if res := s.must(t, client, inquiry{target: aliceProfile, header: forced}); res.header.Get(cacheStatus) != "portico; fwd=request; stored" || b.count() != 1 {
		t.Errorf("%v, %d calls", res.header, b.count())
	}

	only := header.Clone()
	only.Set("Cache-Control", "only-if-cached")

	if res := s.must(t, client, inquiry{target: "/v1/orders/other", header: only}); res.status != http.StatusGatewayTimeout || b.count() != 1 {
		t.Errorf("%d %v, %d calls", res.status, res.header, b.count())
	}
}
