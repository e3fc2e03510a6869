package cache_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// legRule is for a method without a cache policy.
func legRule() cache.LegRule {
	return cache.LegRule{
		Upstream: "order", RPC: rpc, Reply: (*userv1.User)(nil).ProtoReflect().Descriptor(), Timeout: 10 * time.Second,
	}
}

func storedLegs() cache.LegRule {
	rule := legRule()
	rule.Cache = private().Cache

	return rule
}

// method is a method whose calls a test makes. They wait for a channel, unless it is nil, or for the end of their context.
type method struct {
	*cache.Cache
	*cache.Method

	calls   atomic.Int64
	events  map[cache.Event]*atomic.Int64
	release chan struct{}
	// reply is what the calls return, after that. Nil: their number.
	reply func(ctx context.Context, n int64) ([]byte, error)
	// ended are the contexts that ended before.
	ended chan error
}

func legs(t *testing.T, rule cache.LegRule) *method {
	t.Helper()

	m := &method{ended: make(chan error, 10), events: map[cache.Event]*atomic.Int64{}}
	for _, event := range []cache.Event{
		cache.Hit, cache.Stale, cache.Miss, cache.Collapsed, cache.Bypass, cache.Stored, cache.Refresh, cache.StoreError,
	} {
		m.events[event] = &atomic.Int64{}
	}

	m.Cache = cache.New(memory(t, 64<<20), func(_ string, event cache.Event) { m.events[event].Add(1) })
	m.Method = m.Cache.Method(rule)
	t.Cleanup(m.Close)

	return m
}

// heldLegs is a method whose calls wait to be released.
func heldLegs(t *testing.T, rule cache.LegRule) *method {
	t.Helper()

	m := legs(t, rule)
	m.release = make(chan struct{})

	return m
}

func (m *method) call(ctx context.Context, _ proto.Message) ([]byte, error) {
	n := m.calls.Add(1)
	rec := reqinfo.From(ctx)

	rec.AddUpstream("order")

	if m.release != nil {
		select {
		case <-m.release:
		case <-ctx.Done():
			m.ended <- ctx.Err()

			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}

	rec.AddCall(reqinfo.Call{Upstream: "order", RPC: rpc, Took: time.Second})

	if m.reply != nil {
		return m.reply(ctx, n)
	}

	return []byte(fmt.Sprint(n)), nil
}

// leg is what a leg got.
type leg struct {
	reply string
	err   error
}

// as makes a call for somebody's request.
func (m *method) as(ctx context.Context, rec *reqinfo.Record) leg {
	reply, err := m.Do(reqinfo.NewContext(ctx, rec), &userv1.GetUserRequest{UserId: "u1"}, m.call)

	return leg{string(reply), err}
}

// begin makes a call and returns what it will get, once it is under way.
func (m *method) begin(ctx context.Context, rec *reqinfo.Record) <-chan leg {
	got := make(chan leg, 1)

	go func() { got <- m.as(ctx, rec) }()

	synctest.Wait()

	return got
}

func (l leg) wants(t *testing.T, reply string) {
	t.Helper()

	if l.err != nil || l.reply != reply {
		t.Errorf("got %q, %v, want %q", l.reply, l.err, reply)
	}
}

func (l leg) wantsCode(t *testing.T, code codes.Code) {
	t.Helper()

	if status.Code(l.err) != code || l.reply != "" {
		t.Errorf("got %q, %v, want %s", l.reply, l.err, code)
	}
}

func (m *method) wantsCalls(t *testing.T, n int64) {
	t.Helper()

	if got := m.calls.Load(); got != n {
		t.Errorf("%d calls, want %d", got, n)
	}
}

func TestLegsAtTheSameTimeShareACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 1000

		m := heldLegs(t, legRule())
		recs := make([]*reqinfo.Record, many)
		got := make(chan leg, many)

		for i := range recs {
			recs[i] = ada()

			go func() { got <- m.as(t.Context(), recs[i]) }()
		}

		synctest.Wait()
		close(m.release)

		for range recs {
			(<-got).wants(t, "1")
		}

		m.wantsCalls(t, 1)

		if m.events[cache.Miss].Load() != 1 || m.events[cache.Collapsed].Load() != many-1 {
			t.Errorf("%d misses, %d collapsed", m.events[cache.Miss].Load(), m.events[cache.Collapsed].Load())
		}

		for _, rec := range recs {
			if calls := rec.Calls(); len(calls) != 1 || calls[0].Took != time.Second || rec.UpstreamNames() != "order" {
				t.Fatalf("calls %v, upstreams %s", calls, rec.UpstreamNames())
			}
		}

		// Nothing is stored.
		m.as(t.Context(), ada()).wants(t, "2")
	})
}

func TestLegsOfDifferentCallersShareNothing(t *testing.T) {
	t.Parallel()

	tests := map[string]*reqinfo.Record{
		"subject":   as(func(rec *reqinfo.Record) { rec.Principal.Subject = "bob" }),
		"issuer":    as(func(rec *reqinfo.Record) { rec.Principal.Issuer = "https://other" }),
		"tenant":    as(func(rec *reqinfo.Record) { rec.Principal.Tenant = "acme" }),
		"scopes":    as(func(rec *reqinfo.Record) { rec.Principal.Scopes = []string{"read", "write"} }),
		"roles":     as(func(rec *reqinfo.Record) { rec.Principal.Roles = []string{"admin"} }),
		"token":     as(func(rec *reqinfo.Record) { rec.Authorization = "Bearer x" }),
		"address":   as(func(rec *reqinfo.Record) { rec.Client = netip.MustParseAddr("192.0.2.2") }),
		"anonymous": anonymous(),
		"header":    as(func(rec *reqinfo.Record) { rec.Forward = map[string][]string{"accept-language": {"de"}} }),
		"priority":  as(func(rec *reqinfo.Record) { rec.Priority = 1 }),
	}

	for name, other := range tests {
		for _, rule := range []cache.LegRule{legRule(), storedLegs()} {
			rule.Authorization = true

			t.Run(fmt.Sprint(name, "/", rule.Cache.TTL), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := heldLegs(t, rule)
					first, second := m.begin(t.Context(), ada()), m.begin(t.Context(), other)

					close(m.release)
					(<-first).wants(t, "1")
					(<-second).wants(t, "2")
				})
			})
		}
	}
}

func TestLegsWithTheSameEffectShare(t *testing.T) {
	t.Parallel()

	tests := map[string]*reqinfo.Record{
		"another_token":   as(func(rec *reqinfo.Record) { rec.Authorization = "Bearer x" }),
		"a_session":       as(func(rec *reqinfo.Record) { rec.Authorization, rec.Session = "Bearer x", true }),
		"an_api_key":      as(func(rec *reqinfo.Record) { rec.APIKey = "k" }),
		"another_request": as(func(rec *reqinfo.Record) { rec.ID, rec.RPC, rec.Template = "b", "/a.B/C", "/v1/c" }),
		"another_trace":   as(func(rec *reqinfo.Record) { rec.Forward = map[string][]string{"traceparent": {"00-1"}} }),
	}

	for name, other := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := heldLegs(t, legRule())
				first, second := m.begin(t.Context(), ada()), m.begin(t.Context(), other)

				close(m.release)
				(<-first).wants(t, "1")
				(<-second).wants(t, "1")
			})
		})
	}
}

func TestLegsThatCallDifferentThingsShareNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := heldLegs(t, legRule())
		ctx := reqinfo.NewContext(t.Context(), ada())

		otherRPC, otherUpstream := legRule(), legRule()
		otherRPC.RPC, otherUpstream.Upstream = "/a.B/C", "user"

		for _, do := range []func() ([]byte, error){
			func() ([]byte, error) { return m.Do(ctx, &userv1.GetUserRequest{UserId: "u1"}, m.call) },
			func() ([]byte, error) { return m.Do(ctx, &userv1.GetUserRequest{UserId: "u2"}, m.call) },
			func() ([]byte, error) { return m.Do(ctx, &userv1.GetUserRequest{}, m.call) },
			func() ([]byte, error) {
				return m.Cache.Method(otherRPC).Do(ctx, &userv1.GetUserRequest{UserId: "u1"}, m.call)
			},
			func() ([]byte, error) {
				return m.Cache.Method(otherUpstream).Do(ctx, &userv1.GetUserRequest{UserId: "u1"}, m.call)
			},
		} {
			before := m.calls.Load()

			go func() { _, _ = do() }()

			synctest.Wait()
			m.wantsCalls(t, before+1)
		}

		close(m.release)
	})
}

func TestLeaderOfALegLeavesAndFollowersDoNotNotice(t *testing.T) {
	t.Parallel()

	for name, rule := range map[string]cache.LegRule{"shared": legRule(), "stored": storedLegs()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := heldLegs(t, rule)
				ctx, cancel := context.WithCancel(t.Context())
				rec := ada()
				leader, follower := m.begin(ctx, rec), m.begin(t.Context(), ada())

				cancel()

				left := <-leader
				left.wantsCode(t, codes.Canceled)

				if !errors.Is(left.err, context.Canceled) {
					t.Errorf("the error is %v", left.err)
				}

				if len(rec.Calls()) != 1 || rec.UpstreamNames() != "order" {
					t.Errorf("the record has %v, %s", rec.Calls(), rec.UpstreamNames())
				}

				close(m.release)
				(<-follower).wants(t, "1")
				m.wantsCalls(t, 1)

				if len(m.ended) > 0 {
					t.Errorf("the call ended: %v", <-m.ended)
				}
			})
		})
	}
}

func TestCallOfALegEndsWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := heldLegs(t, legRule())
		ctx, cancel := context.WithCancel(t.Context())
		first, second := m.begin(ctx, ada()), m.begin(ctx, ada())

		cancel()
		(<-first).wantsCode(t, codes.Canceled)
		(<-second).wantsCode(t, codes.Canceled)

		if err := <-m.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the call ended with %v", err)
		}

		close(m.release)
		m.as(t.Context(), ada()).wants(t, "2")
	})
}

// The breaker of an upstream counts timeouts, and not calls that were cancelled.
func TestCallThatHangsEndsWithTheDeadlineOfItsLeg(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := heldLegs(t, legRule())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		start := time.Now()
		got := m.as(ctx, ada())
		got.wantsCode(t, codes.DeadlineExceeded)

		if took := time.Since(start); took > time.Second+10*time.Millisecond {
			t.Errorf("took %s", took)
		}

		if err := <-m.ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the call ended with %v", err)
		}
	})
}

func TestLegsAreNotInAHurryOfOthers(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name          string
		first, second time.Duration
		client        bool
		calls         int64
	}{
		{"the_client_is_in_a_hurry", time.Second, 5 * time.Second, true, 1},
		{"the_composite_is_in_a_hurry", time.Second, 5 * time.Second, false, 2},
		{"they_have_about_the_same_time", 4500 * time.Millisecond, 5 * time.Second, false, 2},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := heldLegs(t, legRule())
				hurried, cancel := context.WithTimeout(t.Context(), tt.first)
				defer cancel()

				patient, cancel := context.WithTimeout(t.Context(), tt.second)
				defer cancel()

				rec := ada()
				rec.ClientDeadline = tt.client
				leader, follower := m.begin(hurried, rec), m.begin(patient, ada())

				(<-leader).wantsCode(t, codes.DeadlineExceeded)
				synctest.Wait()
				close(m.release)

				if got := <-follower; got.err != nil {
					t.Errorf("got %v", got.err)
				}

				m.wantsCalls(t, tt.calls)
			})
		})
	}
}

// However many are in a hurry, those who are not get a reply.
func TestManyHurriedLegsDoNotFailAPatientOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := legs(t, legRule())
		m.reply = func(ctx context.Context, _ int64) ([]byte, error) {
			select {
			case <-time.After(700 * time.Millisecond):
				return []byte("reply"), nil
			case <-ctx.Done():
				return nil, status.FromContextError(ctx.Err()).Err()
			}
		}

		done := make(chan struct{})

		go func() {
			defer close(done)

			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)

				go func() {
					defer cancel()

					m.as(ctx, ada())
				}()

				time.Sleep(20 * time.Millisecond)
			}
		}()

		synctest.Wait()

		patient, cancel := context.WithTimeout(t.Context(), 1450*time.Millisecond)
		defer cancel()

		m.as(patient, ada()).wants(t, "reply")
		<-done
	})
}

func TestErrorsOfLegsAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := heldLegs(t, storedLegs())
		lost := status.Error(codes.NotFound, "no such user")
		m.reply = func(context.Context, int64) ([]byte, error) { return nil, lost }

		first, second := m.begin(t.Context(), ada()), m.begin(t.Context(), ada())

		close(m.release)

		for _, got := range []leg{<-first, <-second} {
			if !errors.Is(got.err, lost) {
				t.Errorf("got %v", got.err)
			}
		}

		m.wantsCalls(t, 1)
		// They are not stored.
		m.as(t.Context(), ada())
		m.wantsCalls(t, 2)
	})
}

func TestPanicInALegIsEverybodysError(t *testing.T) {
	t.Parallel()

	for name, end := range map[string]func(){"panic": func() { panic("boom") }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := heldLegs(t, legRule())
				m.reply = func(context.Context, int64) ([]byte, error) {
					end()
					return nil, nil
				}

				first, second := m.begin(t.Context(), ada()), m.begin(t.Context(), ada())

				close(m.release)

				for _, got := range []leg{<-first, <-second} {
					got.wantsCode(t, codes.Internal)

					if name == "panic" && !strings.Contains(got.err.Error(), "boom") || strings.Contains(status.Convert(got.err).Message(), "boom") {
						t.Errorf("got %v", got.err)
					}
				}

				m.wantsCalls(t, 1)
			})
		})
	}
}

// A leg that comes after a write was acknowledged does not share a call that began before, although no tags say what was written.
func TestLegsAfterAWriteShareNothingFromBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := heldLegs(t, legRule())
		first, second := m.begin(t.Context(), ada()), m.begin(t.Context(), ada())

		m.Wrote()

		third, fourth := m.begin(t.Context(), ada()), m.begin(t.Context(), ada())

		m.wantsCalls(t, 2)
		m.release <- struct{}{}
		m.release <- struct{}{}

		for _, before := range []leg{<-first, <-second} {
			before.wants(t, "1")
		}

		for _, after := range []leg{<-third, <-fourth} {
			after.wants(t, "2")
		}
	})
}

func TestCloseEndsTheCallsOfLegs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := heldLegs(t, legRule())
		first := m.begin(t.Context(), ada())

		m.Wrote()

		second := m.begin(t.Context(), ada())

		m.Close()
		(<-first).wantsCode(t, codes.Canceled)
		(<-second).wantsCode(t, codes.Canceled)

		close(m.release)
		m.as(t.Context(), ada()).wants(t, "3")
	})
}

func TestReplyOfALegMayBeUsedAtOnceByAllWhoGotIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := heldLegs(t, legRule())
		seen := make(chan string, 1)
		request := &userv1.GetUserRequest{UserId: "u1"}
		ctx, cancel := context.WithCancel(reqinfo.NewContext(t.Context(), ada()))

		go func() {
			_, _ = m.Do(ctx, request, func(ctx context.Context, sent proto.Message) ([]byte, error) {
				reply, err := m.call(ctx, sent)
				seen <- sent.(*userv1.GetUserRequest).GetUserId()

				return reply, err
			})
			// A composite may use its request again, though the call goes on for others.
			request.UserId = "changed"
		}()

		synctest.Wait()

		follower := m.begin(t.Context(), ada())

		cancel()
		synctest.Wait()
		close(m.release)
		(<-follower).wants(t, "1")

		if got := <-seen; got != "u1" {
			t.Errorf("sent %s", got)
		}
	})
}
