package inflight_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/limit/inflight"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

func TestRoutesAreCountedApart(t *testing.T) {
	t.Parallel()

	gate := inflight.New(config.Overload{MaxInFlight: 10, MaxStreams: 10})
	order, user := inflight.RouteName{Method: "GET", Path: "/v1/orders"}, inflight.RouteName{Method: "GET", Path: "/v1/users"}

	occupied := occupy(t)
	occupied.fill(gate.Named(order).Route(porticov1.Priority_PRIORITY_NORMAL, false), 2)
	// After a reload.
	reloaded := gate.With(config.Overload{MaxInFlight: 20, MaxStreams: 20})
	occupied.fill(reloaded.Named(order).Route(porticov1.Priority_PRIORITY_NORMAL, true), 1)
	occupied.fill(reloaded.Named(user).Route(porticov1.Priority_PRIORITY_NORMAL, false), 1)

	want := map[inflight.RouteName]int64{order: 3, user: 1}
	if diff := cmp.Diff(want, gate.Routes()); diff != "" {
		t.Error(diff)
	}

	occupied.leave()

	if got := reloaded.Routes(); len(got) != 0 {
		t.Errorf("afterwards: %v", got)
	}
}
