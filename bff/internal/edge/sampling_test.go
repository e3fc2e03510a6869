package edge_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// logged sends n requests, and returns the ids of those that have lines, with the ratio.
func logged(tb testing.TB, ratio float64, n int) map[string]bool {
	tb.Helper()

	e, ids := newEdge(), map[string]bool{}
	e.config.Log = config.Log{Sample: ratio}

	for i := range n {
		r := get("/")
		r.Header.Set("X-Request-Id", fmt.Sprintf("req-%08d", i))
		e.do(r, ok)
	}

	for _, line := range e.lines(tb, "request") {
		id, _ := line["request_id"].(string)
		ids[id] = true

		if got := line["sampled"]; got != ratio {
			tb.Errorf("sampled is %v, want %v", got, ratio)
		}
	}

	return ids
}

func TestLinesOfSuccessesAreSampled(t *testing.T) {
	t.Parallel()

	const n = 4000

	few, many, again := logged(t, 0.1, n), logged(t, 0.5, n), logged(t, 0.1, n)

	// Ten standard deviations.
	if share := float64(len(few)) / n; share < 0.05 || share > 0.15 {
		t.Errorf("%v of the lines were written, not a tenth", share)
	}

	for id := range few {
		if !many[id] || !again[id] {
			t.Errorf("%s: another gateway, or one with a higher ratio, does not log it", id)
		}
	}

	if len(again) != len(few) {
		t.Errorf("%d lines, and then %d", len(few), len(again))
	}
}

func TestWithoutSamplingLinesDoNotMentionIt(t *testing.T) {
	t.Parallel()

	for _, ratio := range []float64{0, 1} {
		e := newEdge()
		e.config.Log.Sample = ratio
		e.do(get("/"), ok)

		if line := e.access(t); line["sampled"] != nil {
			t.Errorf("%v: %v", ratio, line)
		}
	}
}

func TestWhatIsNoSuccessIsNotSampled(t *testing.T) {
	t.Parallel()

	for name, next := range map[string]http.HandlerFunc{
		"failure": func(w http.ResponseWriter, r *http.Request) {
			problem.Write(w, r, problem.New(codes.Unavailable, ""), errors.New("reset"))
		},
		"mistake": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"cause": func(w http.ResponseWriter, r *http.Request) {
			reqinfo.From(r.Context()).Fail(codes.OK, errors.New("the key was not released"))
			ok(w, r)
		},
		"missing_part": func(w http.ResponseWriter, r *http.Request) {
			reqinfo.From(r.Context()).Miss("orders", errors.New("refused"))
			ok(w, r)
		},
		"refused_and_stale": func(w http.ResponseWriter, r *http.Request) {
			reqinfo.From(r.Context()).Refuse(reqinfo.Refusal{Reason: reqinfo.ReasonBreaker})
			ok(w, r)
		},
		"slow": func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			ok(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEdge()
				e.config.Log = config.Log{Sample: 1e-9, SlowAfter: time.Second}
				e.do(get("/"), next)

				if line := e.access(t); line["sampled"] != nil {
					t.Errorf("got %v", line)
				}
			})
		})
	}
}
