package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/idempotency"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

func TestRequestWithoutKeyPassesUnlessOneIsRequired(t *testing.T) {
	t.Parallel()

	next := &counter{Handler: http.HandlerFunc(create)}
	keeper := idempotency.New(idempotency.NewMemory(64 << 20))
	none := call{keys: []string{}}

	for range 2 {
		wantStatus(t, none.to(t, keeper.Route(idempotency.Rule{RPC: rpc, TTL: time.Hour})(next)), http.StatusCreated, false)
	}

	next.want(t, 2)

	w := none.to(t, keeper.Route(idempotency.Rule{RPC: rpc, Required: true, TTL: time.Hour})(next))
	wantStatus(t, w, http.StatusBadRequest, false)

	want := []problem.FieldError{{In: "header", Field: "Idempotency-Key", Description: "is required"}}
	if diff := cmp.Diff(want, document(t, w).Errors); diff != "" {
		t.Error(diff)
	}

	next.want(t, 2)
}

func TestInvalidKeyIsRefusedEvenIfNoneIsRequired(t *testing.T) {
	t.Parallel()

	next := &counter{Handler: http.HandlerFunc(create)}
	h := idempotency.New(idempotency.NewMemory(64 << 20)).Route(idempotency.Rule{RPC: rpc, TTL: time.Hour})(next)

	for _, keys := range [][]string{{""}, {"a", "b"}, {`"a`}} {
		w := call{keys: keys}.to(t, h)
		wantStatus(t, w, http.StatusBadRequest, false)

		if p := document(t, w); p.Code != "INVALID_ARGUMENT" || !strings.Contains(p.Detail, "Idempotency-Key") {
			t.Errorf("%q: %+v", keys, p)
		}
	}

	next.want(t, 0)
}

func TestAnswerIsReplayedUntilItsTimeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next, h := handled(func(w http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); string(body) != `{"item":1}` || err != nil {
				t.Errorf("body %q, %v", body, err)
			}

			create(w, r)
		})

		first := call{}.to(t, h)
		wantStatus(t, first, http.StatusCreated, false)
		time.Sleep(time.Hour - 1)

		again := call{keys: []string{"key-1"}}.to(t, h)
		wantStatus(t, again, http.StatusCreated, true)
		next.want(t, 1)

		again.Header().Del("Idempotency-Replayed")

		if diff := cmp.Diff(first.Header(), again.Header()); diff != "" || first.Body.String() != again.Body.String() {
			t.Error(diff, again.Body)
		}

		time.Sleep(time.Nanosecond)
		wantStatus(t, call{}.to(t, h), http.StatusCreated, false)
		next.want(t, 2)
	})
}

func TestKeyIsTheCallersOwn(t *testing.T) {
	t.Parallel()

	next := &counter{Handler: http.HandlerFunc(create)}
	keeper := idempotency.New(idempotency.NewMemory(64 << 20))
	h := keeper.Route(idempotency.Rule{RPC: rpc, Required: true, TTL: time.Hour})(next)

	as := func(issuer, subject string) *reqinfo.Record {
		return &reqinfo.Record{Principal: reqinfo.Principal{Issuer: issuer, Subject: subject}}
	}

	of := func(tenant string) *reqinfo.Record {
		rec := ada()
		rec.Principal.Tenant = tenant

		return rec
	}

	calls := []call{
		{},
		{keys: []string{"key-2"}},
		{rec: as("https://login", "bob")},
		{rec: as("https://other", "ada")},
		{rec: as("https://login"+"a", "da")},
		{rec: of("acme")},
		{rec: of("zeta")},
		{rec: from("192.0.2.1")},
		{rec: from("192.0.2.2")},
		{rec: from("2001:db8::1")},
		{rec: &reqinfo.Record{}},
	}

	for i, c := range calls {
		wantStatus(t, c.to(t, h), http.StatusCreated, false)
		next.want(t, int64(i)+1)
	}

	for _, c := range calls {
		wantStatus(t, c.to(t, h), http.StatusCreated, true)
	}

	// A client that comes back may have another address and a new token, or another credential. A new API key was once another caller.
	moved, session, machine := ada(), ada(), ada()
	moved.Client, moved.Authorization = from("198.51.100.7").Client, "Bearer new"
	moved.Principal.Scopes = []string{"orders"}
	session.Authorization, session.Session = "Bearer newer", true
	machine.APIKey = "key-a"

	for _, rec := range []*reqinfo.Record{moved, session, machine} {
		wantStatus(t, call{rec: rec}.to(t, h), http.StatusCreated, true)
	}

	wantStatus(t, call{rec: from("::ffff:192.0.2.1")}.to(t, h), http.StatusCreated, true)
	wantStatus(t, call{}.to(t, keeper.Route(idempotency.Rule{RPC: rpc + "2", Required: true, TTL: time.Hour})(next)), http.StatusCreated, false)
}

func TestOtherRequestWithTheKeyIsRefused(t *testing.T) {
	t.Parallel()

	next := &counter{Handler: http.HandlerFunc(create)}
	h := idempotency.New(idempotency.NewMemory(64 << 20)).Route(detailed())(next)

	call{}.to(t, h)

	tests := []struct {
		name string
		call call
	}{
		{"method", call{method: http.MethodPut}},
		{"path", call{target: "/v1/order%73?a=1"}},
		{"query", call{target: "/v1/orders?a=2"}},
		{"type", call{contentType: "application/json; charset=utf-8"}},
		{"header_of_a_field", call{header: http.Header{"X-Account": {"b"}}}},
		{"header_of_a_field_twice", call{header: http.Header{"X-Account": {"a", "b"}}}},
		{"header_of_a_field_is_empty", call{header: http.Header{"X-Account": {""}}}},
		{"header_of_another_field", call{header: http.Header{"X-Other": {"a"}}}},
		{"accept", call{header: http.Header{"Accept": {"a"}}}},
		{"forwarded_header", call{rec: forwarding("x-workspace", "b")}},
		{"another_forwarded_header", call{rec: forwarding("x-tier", "a")}},
		{"body", call{body: `{"item": 1}`}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			w := tt.call.to(t, h)
			wantStatus(t, w, http.StatusUnprocessableEntity, false)

			if p := document(t, w); p.Code != "INVALID_ARGUMENT" {
				t.Error(p)
			}

			next.want(t, 1)
		})
	}
}

func TestRetryWhileInProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next, h := handled(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(5 * time.Second)
			create(w, r)
		})

		var wg sync.WaitGroup

		wg.Go(func() { wantStatus(t, call{}.to(t, h), http.StatusCreated, false) })
		time.Sleep(time.Second)

		w := call{}.to(t, h)
		wantStatus(t, w, http.StatusConflict, false)

		if p := document(t, w); p.Code != "ABORTED" || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%+v, Retry-After %q", p, w.Header().Get("Retry-After"))
		}

		wantStatus(t, call{body: "other"}.to(t, h), http.StatusUnprocessableEntity, false)
		wg.Wait()
		wantStatus(t, call{}.to(t, h), http.StatusCreated, true)
		next.want(t, 1)
	})
}

func TestHandlerRunsOnceUnderAHundredRetries(t *testing.T) {
	t.Parallel()

	var replayed, refused atomic.Int64

	start := make(chan struct{})
	next, h := handled(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(10 * time.Millisecond)
		create(w, r)
	})

	var wg sync.WaitGroup

	for range 100 {
		wg.Go(func() {
			<-start

			for range 20 {
				switch w := (call{}).to(t, h); {
				case w.Code == http.StatusConflict:
					refused.Add(1)
				case w.Code == http.StatusCreated && w.Header().Get("Idempotency-Replayed") == "true" && w.Body.String() == `{"id":1}`:
					replayed.Add(1)
				case w.Code != http.StatusCreated:
					t.Errorf("status %d: %s", w.Code, w.Body)
				}
			}
		})
	}

	close(start)
	wg.Wait()
	next.want(t, 1)

	if got := replayed.Load() + refused.Load(); got != 100*20-1 {
		t.Errorf("%d replayed, %d refused", replayed.Load(), refused.Load())
	}
}

func TestHandlerOutlastsItsClientButNotItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next, h := handled(func(w http.ResponseWriter, r *http.Request) {
			deadline, ok := r.Context().Deadline()
			if !ok || time.Until(deadline) != 3*time.Second {
				t.Errorf("deadline in %s, %t", time.Until(deadline), ok)
			}

			select {
			case <-time.After(2 * time.Second):
				create(w, r)
			case <-r.Context().Done():
				t.Error(r.Context().Err())
			}
		})

		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)

		time.AfterFunc(time.Second, cancel)
		h.ServeHTTP(gone{}, call{}.request(ctx))
		wantStatus(t, call{}.to(t, h), http.StatusCreated, true)
		next.want(t, 1)
	})
}

func TestAnswerAfterTheDeadlineIsSettledAllTheSame(t *testing.T) {
	t.Parallel()

	for _, status := range []int{http.StatusCreated, http.StatusGatewayTimeout} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, h := over(&spy{Store: idempotency.NewMemory(64 << 20)}, func(w http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
					w.WriteHeader(status)
				})

				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()

				rec := ada()
				h.ServeHTTP(httptest.NewRecorder(), call{rec: rec}.request(ctx))

				if _, cause := rec.Outcome(); cause != nil {
					t.Error(cause)
				}
			})
		})
	}
}

// gone is the writer of a client that left.
type gone struct{}

func (gone) Header() http.Header       { return http.Header{} }
func (gone) WriteHeader(int)           {}
func (gone) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestLeaseOfARequest(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name    string
		timeout time.Duration
		want    time.Duration
	}{
		{"deadline_and_grace", 5 * time.Second, 15 * time.Second},
		{"minute_without_deadline", 0, time.Minute},
		{"grace_when_late", -time.Second, 10 * time.Second},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()

				if tt.timeout != 0 {
					var cancel context.CancelFunc

					ctx, cancel = context.WithTimeout(ctx, tt.timeout)
					defer cancel()
				}

				store := &spy{Store: idempotency.NewMemory(64 << 20)}
				_, h := over(store, create)
				h.ServeHTTP(httptest.NewRecorder(), call{}.request(ctx))
				h.ServeHTTP(httptest.NewRecorder(), call{}.request(ctx))

				if len(store.claims) != 2 || store.claims[0].Lease != tt.want {
					t.Fatalf("%+v", store.claims)
				}

				if a, b := store.claims[0], store.claims[1]; a.Owner == b.Owner || a.Key != b.Key || a.Fingerprint != b.Fingerprint {
					t.Errorf("owners must differ, the rest must not: %+v", store.claims)
				}
			})
		})
	}
}

// spy notes claims, and fails as it is told, and when the context has ended, as a store does that is somewhere else.
type spy struct {
	idempotency.Store

	claims                          []idempotency.Claim
	claimErr, finishErr, releaseErr error
}

func (s *spy) Claim(ctx context.Context, c idempotency.Claim) (idempotency.State, idempotency.Response, error) {
	s.claims = append(s.claims, c)
	if s.claimErr != nil {
		return 0, idempotency.Response{}, s.claimErr
	}

	return s.Store.Claim(ctx, c)
}

func (s *spy) Finish(ctx context.Context, c idempotency.Claim, a idempotency.Response, ttl time.Duration) error {
	if err := errors.Join(ctx.Err(), s.finishErr); err != nil {
		return err
	}

	return s.Store.Finish(ctx, c, a, ttl)
}

func (s *spy) Release(ctx context.Context, c idempotency.Claim) error {
	if err := errors.Join(ctx.Err(), s.releaseErr); err != nil {
		return err
	}

	return s.Store.Release(ctx, c)
}

var errStore = errors.New("store is down")

func TestNothingHappensWithoutTheStore(t *testing.T) {
	t.Parallel()

	for name, cause := range map[string]error{"down": errStore, "full": idempotency.ErrFull} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			next, h := over(&spy{Store: idempotency.NewMemory(64 << 20), claimErr: cause}, create)
			rec := ada()
			w := call{rec: rec}.to(t, h)

			wantStatus(t, w, http.StatusServiceUnavailable, false)
			next.want(t, 0)

			if p := document(t, w); p.Code != "UNAVAILABLE" || w.Header().Get("Retry-After") != "1" || strings.Contains(p.Detail, "down") {
				t.Errorf("%+v, Retry-After %q", p, w.Header().Get("Retry-After"))
			}

			if code, got := rec.Outcome(); code != codes.Unavailable || !errors.Is(got, cause) {
				t.Errorf("record: %s, %v", code, got)
			}
		})
	}
}

// What was not stored must not be repeated either: the claim stands until its lease is over.
func TestStoreFailsAfterTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keeper := idempotency.New(&spy{Store: idempotency.NewMemory(64 << 20), finishErr: errStore})
		defer keeper.Close()

		next := &counter{Handler: http.HandlerFunc(create)}
		h := keeper.Route(idempotency.Rule{RPC: rpc, Required: true, TTL: time.Hour})(next)
		rec := ada()

		wantStatus(t, call{rec: rec}.to(t, h), http.StatusCreated, false)

		if code, cause := rec.Outcome(); code != codes.OK || !errors.Is(cause, errStore) {
			t.Errorf("record: %s, %v", code, cause)
		}

		wantStatus(t, call{}.to(t, h), http.StatusConflict, false)
		next.want(t, 1)
		time.Sleep(time.Minute)
		wantStatus(t, call{}.to(t, h), http.StatusCreated, false)
	})
}

func TestReleaseFails(t *testing.T) {
	t.Parallel()

	_, h := over(&spy{Store: idempotency.NewMemory(64 << 20), releaseErr: errStore}, func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, problem.New(codes.Internal, ""), nil)
	})
	rec := ada()

	wantStatus(t, call{rec: rec}.to(t, h), http.StatusInternalServerError, false)

	if code, cause := rec.Outcome(); code != codes.Internal || !errors.Is(cause, errStore) {
		t.Errorf("record: %s, %v", code, cause)
	}
}

// A holder that outlives its lease changes nothing about the request that came after it.
func TestLateHolderLosesItsClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64

		_, h := handled(func(w http.ResponseWriter, r *http.Request) {
			if calls.Add(1) == 1 {
				time.Sleep(2 * time.Minute)
				w.WriteHeader(http.StatusAccepted)

				return
			}

			create(w, r)
		})

		late := ada()

		var wg sync.WaitGroup

		wg.Go(func() { wantStatus(t, call{rec: late}.to(t, h), http.StatusAccepted, false) })
		time.Sleep(90 * time.Second)
		wantStatus(t, call{}.to(t, h), http.StatusCreated, false)
		wg.Wait()
		wantStatus(t, call{}.to(t, h), http.StatusCreated, true)

		if _, cause := late.Outcome(); !errors.Is(cause, idempotency.ErrLost) {
			t.Errorf("record: %v", cause)
		}
	})
}

func ExampleNew() {
	keeper := idempotency.New(idempotency.NewMemory(64 << 20))
	orders := 0

	h := keeper.Route(idempotency.Rule{RPC: "/order.v1.OrderService/CreateOrder", Required: true, TTL: time.Hour})(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			orders++

			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, "order %d", orders)
		}))

	for range 2 {
		r := httptest.NewRequest(http.MethodPost, "/v1/orders", strings.NewReader("{}"))
		r.Header.Set(idempotency.Header, `"8e03978e-40d5-43dd-bc93-6894a57f9324"`)

		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Printf("%d %s %q\n", w.Code, w.Body, w.Header().Get("Idempotency-Replayed"))
	}
	// Output:
	// 201 order 1 ""
	// 201 order 1 "true"
}

// late claims keys, but says so only when it is too late.
type late struct {
	idempotency.Store

	claims atomic.Int64
}

func (s *late) Claim(ctx context.Context, claim idempotency.Claim) (idempotency.State, idempotency.Response, error) {
	state, answer, err := s.Store.Claim(ctx, claim)
	if s.claims.Add(1) == 1 {
		return 0, idempotency.Response{}, errStore
	}

	return state, answer, err
}

// Once, such a key was held until its lease was over, although nothing had been done.
func TestClaimsThatCameTooLateAreGivenBack(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		keeper := idempotency.New(&late{Store: idempotency.NewMemory(64 << 20)})
		defer keeper.Close()

		h := keeper.Route(idempotency.Rule{RPC: rpc, Required: true, TTL: time.Hour})(http.HandlerFunc(create))

		wantStatus(t, call{rec: ada()}.to(t, h), http.StatusServiceUnavailable, false)
		wantStatus(t, call{rec: ada()}.to(t, h), http.StatusConflict, false)

		time.Sleep(time.Second)
		synctest.Wait()

		wantStatus(t, call{rec: ada()}.to(t, h), http.StatusCreated, false)
	})
}
