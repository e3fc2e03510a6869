package traffic_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/composite"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// trial is a request for a page with a branch that fails, and a branch beside it that waits for the backend.
type trial struct {
	// begun is closed when the backend has the call of the branch beside it.
	begun chan struct{}
	// ended gets when the backend saw the end of that call.
	ended chan time.Time

	mu sync.Mutex
	// failed is when the branch failed, or, if its call was made again, when it failed for the last time.
	failed time.Time
}

func (t *trial) fails(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.failed = at
}

// lag is how much later than the branch the call ended, if the trial is over. On a busy machine the time of a branch may be over before
// it runs, or before the other call has begun: that says nothing.
func (t *trial) lag() (lag time.Duration, ok bool) {
	select {
	case <-t.begun:
	default:
		return 0, false
	}

	ended := <-t.ended

	t.mu.Lock()
	defer t.mu.Unlock()

	return ended.Sub(t.failed), !t.failed.IsZero()
}

// trials are those that run, by the user whose page is asked for.
type trials struct{ byUser sync.Map }

// begin begins one.
func (t *trials) begin(user string) *trial {
	one := &trial{begun: make(chan struct{}), ended: make(chan time.Time, 1)}
	t.byUser.Store(user, one)

	return one
}

func (t *trials) of(user string) (*trial, bool) {
	one, ok := t.byUser.Load(user)
	if !ok {
		return nil, false
	}

	return one.(*trial), true
}

// fails says when the branch failed, if the user has a trial.
func (t *trials) fails(user string, at time.Time) {
	if one, ok := t.of(user); ok {
		one.fails(at)
	}
}

// GetProfile waits for the end of the call, if the user has a trial.
func (b faultyBackend) GetProfile(ctx context.Context, req *profilev1.GetProfileRequest) (*profilev1.Profile, error) {
	one, ok := b.trials.of(req.GetUserId())
	if !ok {
		return b.Backend.GetProfile(ctx, req)
	}

	close(one.begun)
	<-ctx.Done()

	one.ended <- time.Now()

	return nil, status.FromContextError(ctx.Err()).Err()
}

// GetDashboard is the page of a trial.
func (p *faultyPage) GetDashboard(ctx context.Context, req *dashboardv1.GetDashboardRequest) (*dashboardv1.Dashboard, error) {
	page := &dashboardv1.Dashboard{}

	one, ok := p.trials.of(req.GetUserId())
	if !ok {
		// The gateway runs it at its start.
		return page, nil
	}

	return page, composite.Run(ctx, page, p.faulty(req.GetUserId(), req.GetOrderCount(), one.begun),
		composite.Optional("profile", composite.Forward(p.profiles.GetProfile, &profilev1.GetProfileRequest{UserId: req.GetUserId()})))
}

// When a required branch fails, calls of the branches beside it end at their backend within 100 ms, whatever the fault. The median
// of many does not depend on what else the machine does at the time of one.
func TestCallsBesideAFaultEndSoon(t *testing.T) { //nolint:paralleltest // It measures times.
	const (
		repeats = 15
		soon    = 100 * time.Millisecond
	)

	s, p := startFaulty(t)
	lags := map[string][]time.Duration{}

	for i, sc := range scenarios() {
		if sc.kind == "optional" {
			continue
		}

		for n := range repeats {
			user := fmt.Sprintf("%s-%s-%d", sc.kind, sc.fault, n)
			one := p.trials.begin(user)

			res := s.Do(t, http.MethodGet, fmt.Sprintf("/v1/users/%s/dashboard?orderCount=%d", user, i), nil, "")
			if res.Status < http.StatusBadRequest {
				t.Fatalf("%v: %d %s", sc, res.Status, res.Body)
			}

			if lag, ok := one.lag(); ok {
				lags[sc.fault] = append(lags[sc.fault], lag)
			}
		}
	}

	for _, fault := range faults {
		all := lags[fault]
		if len(all) < repeats {
			t.Fatalf("%s: only %d trials", fault, len(all))
		}

		slices.Sort(all)
		t.Logf("%s: median %s, 9 of 10 within %s, all within %s", fault, all[len(all)/2], all[len(all)*9/10], all[len(all)-1])

		if got := all[len(all)/2]; got > soon {
			t.Errorf("%s: half of the calls ended more than %s later", fault, got)
		}
	}
}
