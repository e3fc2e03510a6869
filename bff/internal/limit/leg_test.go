package limit_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// The buckets of legs are those of requests, whichever position a limit has.
func TestLegsAndRequestsShareBuckets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rpc = "/user.v1.UserService/GetUser"

		limits := []*porticov1.RateLimit{
			{
				Requests: 100, Burst: 100, Per: durationpb.New(time.Second), Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL,
			},
			{
				Requests: 2, Burst: 2, Per: durationpb.New(time.Second), Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, Legs: true,
			},
		}

		l := limit.New(100)
		leg := l.Leg(rpc, limits)
		route := l.Route(rpc, limits)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		ctx := reqinfo.NewContext(t.Context(), &reqinfo.Record{Principal: reqinfo.Principal{Subject: "alice"}})

		request := func() int {
			w := httptest.NewRecorder()
			route.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))

			return w.Code
		}

		if err := leg(ctx); err != nil || request() != http.StatusOK {
			t.Fatal(err)
		}

		if got := request(); got != http.StatusTooManyRequests {
			t.Errorf("the request got %d", got)
		}

		err := leg(ctx)
		if p := problem.From(err); p.GRPCCode() != codes.ResourceExhausted || p.RetryAfter != 500*time.Millisecond {
			t.Errorf("%v, again in %s", err, p.RetryAfter)
		}

		time.Sleep(time.Second)

		if err := leg(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestLimitsWithoutLegs(t *testing.T) {
	t.Parallel()

	if limit.New(1).Leg("/a/b", []*porticov1.RateLimit{{Requests: 1}}) != nil {
		t.Error("legs are counted")
	}
}

type brokenStore struct{}

var errStore = errors.New("10.0.0.7 does not answer")

func (brokenStore) Take(context.Context, []limit.Request) ([]limit.Decision, error) {
	return nil, errStore
}

func TestLegsDuringAnOutage(t *testing.T) {
	t.Parallel()

	l := limit.NewShared(100, brokenStore{}, nil)

	if err := l.Leg("/a/b", []*porticov1.RateLimit{{Requests: 1, Legs: true}})(t.Context()); err != nil {
		t.Errorf("each gateway limits by itself: %v", err)
	}

	err := l.Leg("/a/b", []*porticov1.RateLimit{{Requests: 1, Legs: true, ClosedOnOutage: true}})(t.Context())
	if p := problem.From(err); p.GRPCCode() != codes.Unavailable || p.RetryAfter == 0 || !errors.Is(err, errStore) {
		t.Errorf("%v", err)
	}
}
