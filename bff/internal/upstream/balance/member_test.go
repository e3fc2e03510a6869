package balance

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
)

var defaults = config.Upstream{}.WithDefaults()

// ready returns the loop's state with some addresses that are connected.
func ready(addresses ...string) *wrapper {
	w := &wrapper{
		group: NewGroup("order", Settings{Probe: defaults.Probe, Ejection: defaults.Ejection}, nil), kick: make(chan struct{}, 1),
		members: map[string]*member{}, subConns: map[*subConn]struct{}{},
	}

	for _, address := range addresses {
		m := w.member(address)
		m.listed = true
		m.subConns[&subConn{
			wrapper: w, member: m, state: connectivity.Ready, health: balancer.SubConnState{ConnectivityState: connectivity.Ready},
		}] = struct{}{}
	}

	return w
}

func fail(w *wrapper, m *member) {
	for range defaults.Ejection.Failures {
		w.recordOutcome(m, unhealthy)
	}
}

func TestTimeOutGrowsAndIsForgiven(t *testing.T) {
	t.Parallel()

	w := ready("a", "b")
	m, now := w.members["a"], time.Unix(1e9, 0)

	// For so long it is left out, when it fails again so long after it was taken back.
	for i, step := range []struct{ after, want time.Duration }{
		{0, 5 * time.Second},
		{time.Second, 10 * time.Second},
		{maxEjection, 15 * time.Second},
		{maxEjection + time.Second, 5 * time.Second},
		{0, 10 * time.Second},
	} {
		now = now.Add(step.after)
		fail(w, m)

		if ejections, next := w.review(now); len(ejections) != 1 || next.Sub(now) != step.want {
			t.Errorf("step %d: left out %v for %s, want %s", i, ejections, next.Sub(now), step.want)
		}

		// Nothing happens before its time.
		if _, next := w.review(m.until.Add(-1)); !m.ejected() || next != m.until {
			t.Errorf("step %d: taken back early", i)
		}

		now = m.until
		if _, next := w.review(now); m.ejected() || !next.IsZero() || m.failures.Load() != 0 {
			t.Errorf("step %d: not taken back", i)
		}
	}

	for range 20 {
		fail(w, m)

		_, next := w.review(now)
		if out := next.Sub(now); out > maxEjection {
			t.Fatalf("left out for %s", out)
		}

		now = m.until
		w.review(now)
	}

	if got := m.until.Sub(m.readmitted); got > maxEjection {
		t.Errorf("left out for %s", got)
	}
}

func TestFailuresMustFollowOneAnother(t *testing.T) {
	t.Parallel()

	w := ready("a", "b")
	m := w.members["a"]

	for range 3 * defaults.Ejection.Failures {
		w.recordOutcome(m, unhealthy)
		w.recordOutcome(m, notCounted)
		w.recordOutcome(m, unhealthy)
		w.recordOutcome(m, healthy)
	}

	if ejections, _ := w.review(time.Now()); len(ejections) != 0 {
		t.Error("left out")
	}

	fail(w, m)

	if ejections, _ := w.review(time.Now()); len(ejections) != 1 {
		t.Error("not left out")
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name                  string
		err                   error
		bytes                 bool
		clientDeadlineShorter bool
		want                  outcome
	}{
		{"answer", nil, true, false, healthy},
		{"answer_to_a_hurried_call", nil, true, true, healthy},
		{"given_up_before_it_was_sent", nil, false, false, notCounted},
		{"not_found", status.Error(codes.NotFound, ""), true, false, healthy},
		{"internal", status.Error(codes.Internal, ""), true, false, failing},
		{"rate_limited", status.Error(codes.ResourceExhausted, ""), true, false, failing},
		{"unimplemented", status.Error(codes.Unimplemented, ""), true, false, healthy},
		{"invalid_argument", status.Error(codes.InvalidArgument, ""), true, false, healthy},
		{"permission_denied", status.Error(codes.PermissionDenied, ""), true, false, healthy},
		{"our_own_refusal", status.Error(codes.ResourceExhausted, "too large"), false, false, notCounted},
		{"unavailable", status.Error(codes.Unavailable, ""), true, false, unhealthy},
		{"unavailable_in_a_hurry", status.Error(codes.Unavailable, ""), false, true, unhealthy},
		{"too_late", status.Error(codes.DeadlineExceeded, ""), false, false, unhealthy},
		{"too_late_in_a_hurry", status.Error(codes.DeadlineExceeded, ""), false, true, notCounted},
		{"canceled", status.Error(codes.Canceled, ""), true, false, notCounted},
		{"no_status", errors.New("odd"), false, false, notCounted},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := resultOf(balancer.DoneInfo{Err: tt.err, BytesReceived: tt.bytes}, tt.clientDeadlineShorter, nil); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// Otherwise a killed backend would be left out for five seconds after it is back, because of all the calls that it took with it.
func TestCallsThatAreLostWithAConnectionCountAsOne(t *testing.T) {
	t.Parallel()

	gone := balancer.DoneInfo{Err: status.Error(codes.Unavailable, "connection reset")}
	line := (&conns{}).add(nil)

	if got := resultOf(gone, false, line); got != unhealthy {
		t.Errorf("while it is there: %d", got)
	}

	line.markLost()

	for i, want := range []outcome{unhealthy, notCounted, notCounted} {
		if got := resultOf(gone, false, line); got != want {
			t.Errorf("call %d: %d, want %d", i, got, want)
		}
	}
}
