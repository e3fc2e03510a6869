package idempotency_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/idempotency"
)

func TestOutcomesAreObserved(t *testing.T) {
	t.Parallel()

	var observed []idempotency.Outcome

	d := idempotency.New(idempotency.NewMemory(64 << 20))
	d.Observe = func(of string, outcome idempotency.Outcome) {
		if of != rpc {
			t.Errorf("got %s", of)
		}

		observed = append(observed, outcome)
	}

	var h http.Handler

	h = d.Route(idempotency.Rule{RPC: rpc, TTL: time.Hour})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The same request again, while this one is in progress.
		if len(observed) == 1 {
			(call{}).to(t, h)
		}

		create(w, r)
	}))

	for _, c := range []call{{}, {}, {body: `{"item":2}`}, {keys: []string{}}} {
		c.to(t, h)
	}

	want := []idempotency.Outcome{
		idempotency.OutcomeExecuted, idempotency.OutcomeInProgress, idempotency.OutcomeReplayed, idempotency.OutcomeMismatched,
	}
	if diff := cmp.Diff(want, observed); diff != "" {
		t.Error(diff)
	}
}
