package console_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/admin/console"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// failures are what a page shows of a source.
func failures(t *testing.T, s *source) []console.Failure {
	t.Helper()

	c := console.New(s.deps())
	defer c.Close()

	page := open(c)
	defer page.close()

	return page.begin(t).Failures
}

// Refusals are many while there is too much to do, and must cost little.
func TestFailureCostsLittle(t *testing.T) { //nolint:paralleltest // It counts allocations.
	var recent console.Recent

	refused := &reqinfo.Record{ID: "refused", Template: "/v1/orders"}
	refused.Fail(codes.Unavailable, nil)
	refused.Refuse(reqinfo.Refusal{Reason: reqinfo.ReasonMaxInFlight})

	// Some for the room of the list, at first.
	if n := testing.AllocsPerRun(1000, func() { recent.Observe("GET", refused, http.StatusServiceUnavailable, time.Second) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		fine := &reqinfo.Record{ID: "fine"}
		s.recent.Observe("GET", fine, http.StatusOK, time.Second)

		missing := &reqinfo.Record{ID: "missing"}
		missing.Fail(codes.NotFound, nil)
		s.recent.Observe("GET", missing, http.StatusNotFound, time.Second)

		limited := &reqinfo.Record{
			ID: "limited", Template: "/v1/orders/{order_id}", Selector: "order.v1.OrderService.GetOrder",
			Principal: reqinfo.Principal{Subject: "alice"}, PathParams: pathtemplate.Values{{Name: "order_id", Text: "secret"}},
		}
		limited.Fail(codes.ResourceExhausted, errors.New("internal cause"))
		limited.Refuse(reqinfo.Refusal{Reason: reqinfo.ReasonRateLimit, Limit: "write"})
		s.recent.Observe("PROPFIND", limited, http.StatusTooManyRequests, 1500*time.Microsecond)

		down := &reqinfo.Record{ID: "down", Template: "/v1/orders"}
		down.Fail(codes.Unavailable, errors.New("dial 10.0.0.1: internal cause"))
		down.AddUpstream("order")
		down.AddCall(reqinfo.Call{Upstream: "order", Code: codes.Unavailable, Attempts: 3, Address: "10.0.0.2:9000"})
		s.recent.Observe("GET", down, http.StatusServiceUnavailable, time.Second)

		got := failures(t, s)
		if len(got) != 2 {
			t.Fatalf("%+v", got)
		}

		if f := got[0]; f.RequestID != "down" || f.Upstream != "order" || f.Address != "10.0.0.2:9000" || f.Code != "UNAVAILABLE" ||
			f.Status != 503 || f.TookMS != 1000 || f.Text == "" || !f.Time.Equal(time.Now()) {
			t.Errorf("%+v", f)
		}

		if f := got[1]; f.RequestID != "limited" || f.Reason != "rate_limit" || f.Limit != "write" || f.Method != "other" ||
			f.TookMS != 1.5 || f.Path != "/v1/orders/{order_id}" || f.Text != "the rate limit is reached" {
			t.Errorf("%+v", f)
		}

		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}

		for _, secret := range []string{"secret", "alice", "internal cause", "PROPFIND"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("it has %q: %s", secret, text)
			}
		}
	})
}

func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		for i := range 250 {
			s.recent.Observe("GET", &reqinfo.Record{ID: fmt.Sprint(i)}, http.StatusInternalServerError, 0)
		}

		got := failures(t, s)
		if len(got) != console.MaxFailures || got[0].RequestID != "249" || got[99].RequestID != "150" {
			t.Errorf("%d, from %s to %s", len(got), got[0].RequestID, got[len(got)-1].RequestID)
		}
	})
}

// Every reason has words of its own.
func TestWordsOfReasons(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newSource()

		for _, reason := range []reqinfo.Reason{
			reqinfo.ReasonNoCredential, reqinfo.ReasonInvalidCredential, reqinfo.ReasonUnverifiedCredential,
			reqinfo.ReasonClientCertificate, reqinfo.ReasonScope, reqinfo.ReasonRole, reqinfo.ReasonOwner, reqinfo.ReasonCondition,
			reqinfo.ReasonRateLimit, reqinfo.ReasonRateLimitStore, reqinfo.ReasonMaxInFlight, reqinfo.ReasonMaxStreams,
			reqinfo.ReasonCPU, reqinfo.ReasonAbortedRequests, reqinfo.ReasonNoRoute, reqinfo.ReasonMethod,
			reqinfo.ReasonInvalidRequest, reqinfo.ReasonBodyTooLarge, reqinfo.ReasonMediaType, reqinfo.ReasonNotAcceptable,
			reqinfo.ReasonIdempotencyKey, reqinfo.ReasonIdempotencyPending, reqinfo.ReasonIdempotencyStore,
			reqinfo.ReasonOnlyIfCached, reqinfo.ReasonBreaker, reqinfo.ReasonDeadline, reqinfo.ReasonConcurrency,
		} {
			rec := &reqinfo.Record{}
			rec.Refuse(reqinfo.Refusal{Reason: reason})
			s.recent.Observe("GET", rec, http.StatusBadRequest, 0)
		}

		texts := map[string]string{}

		for _, f := range failures(t, s) {
			if other, taken := texts[f.Text]; taken || f.Text == "the gateway refused it" {
				t.Errorf("%s says %q, as does %s", f.Reason, f.Text, other)
			}

			texts[f.Text] = f.Reason
		}
	})
}

// BenchmarkObserve is what a request that succeeds costs.
func BenchmarkObserve(b *testing.B) {
	var recent console.Recent

	rec := &reqinfo.Record{}

	b.ReportAllocs()

	for b.Loop() {
		recent.Observe("GET", rec, http.StatusOK, time.Millisecond)
	}
}
