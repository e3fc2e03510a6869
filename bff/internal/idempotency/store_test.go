package idempotency_test

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/idempotency"
)

// Times of the contract. They are real for a store that is somewhere else.
const (
	short = 200 * time.Millisecond
	after = short + 50*time.Millisecond
	long  = time.Hour
)

func claim(key, fingerprint, owner string) idempotency.Claim {
	return idempotency.Claim{Key: key, Fingerprint: fingerprint, Owner: owner, Lease: long}
}

func leased(c idempotency.Claim, lease time.Duration) idempotency.Claim {
	c.Lease = lease

	return c
}

func created() idempotency.Answer {
	return idempotency.Answer{
		Status: http.StatusCreated, Code: codes.OK, Body: []byte{0, '{', '}', 255},
		Header: http.Header{"Content-Type": {"application/json"}, "Link": {"</1>", "</2>"}},
	}
}

// user calls a store and wants what it says.
type user struct {
	testing.TB
	idempotency.Store
}

func (u user) claims(c idempotency.Claim, want idempotency.State) idempotency.Answer {
	u.Helper()

	state, answer, err := u.Claim(u.Context(), c)
	if err != nil || state != want {
		u.Fatalf("claim of %s by %s: state %d, %v; want %d", c.Key, c.Owner, state, err, want)
	}

	return answer
}

func (u user) finishes(c idempotency.Claim, answer idempotency.Answer, ttl time.Duration, want error) {
	u.Helper()

	if err := u.Finish(u.Context(), c, answer, ttl); !errors.Is(err, want) {
		u.Fatalf("finish by %s: got %v, want %v", c.Owner, err, want)
	}
}

func (u user) releases(c idempotency.Claim) {
	u.Helper()

	if err := u.Release(u.Context(), c); err != nil {
		u.Fatalf("release by %s: %v", c.Owner, err)
	}
}

// contract is what every Store does.
func contract() map[string]func(u user) {
	a, b, other := claim("key", "print", "a"), claim("key", "print", "b"), claim("key", "other", "b")

	return map[string]func(u user){
		"free_key_is_claimed_once": func(u user) {
			u.claims(a, idempotency.Claimed)
			u.claims(b, idempotency.InProgress)
			u.claims(a, idempotency.InProgress)
			u.claims(claim("key2", "print", "b"), idempotency.Claimed)
		},
		"other_fingerprint_is_told_at_any_time": func(u user) {
			u.claims(a, idempotency.Claimed)
			u.claims(other, idempotency.Mismatch)
			u.finishes(a, created(), long, nil)
			u.claims(other, idempotency.Mismatch)
		},
		"answer_comes_back_as_it_was": func(u user) {
			u.claims(a, idempotency.Claimed)
			u.finishes(a, created(), long, nil)

			if diff := cmp.Diff(created(), u.claims(b, idempotency.Done)); diff != "" {
				u.Error(diff)
			}
		},
		"omitted_answer_comes_back": func(u user) {
			want := idempotency.Answer{Status: http.StatusNotFound, Code: codes.NotFound, Omitted: true}

			u.claims(a, idempotency.Claimed)
			u.finishes(a, want, long, nil)

			if diff := cmp.Diff(want, u.claims(b, idempotency.Done)); diff != "" {
				u.Error(diff)
			}
		},
		"answer_is_forgotten_after_ttl": func(u user) {
			u.claims(a, idempotency.Claimed)
			u.finishes(a, created(), short, nil)
			u.claims(b, idempotency.Done)
			time.Sleep(after)
			u.claims(other, idempotency.Claimed)
		},
		"ttl_counts_not_the_lease": func(u user) {
			u.claims(leased(a, short), idempotency.Claimed)
			u.finishes(a, created(), long, nil)
			time.Sleep(after)
			u.claims(b, idempotency.Done)
		},
		"released_key_is_free": func(u user) {
			u.claims(a, idempotency.Claimed)
			u.releases(a)
			u.releases(a)
			u.claims(other, idempotency.Claimed)
		},
		"only_the_owner_releases": func(u user) {
			u.releases(b)
			u.claims(a, idempotency.Claimed)
			u.releases(b)
			u.claims(b, idempotency.InProgress)
		},
		"answer_is_not_released": func(u user) {
			u.claims(a, idempotency.Claimed)
			u.finishes(a, created(), long, nil)
			u.releases(a)
			u.claims(b, idempotency.Done)
		},
		"claim_of_the_dead_is_free_after_its_lease": func(u user) {
			u.claims(leased(a, short), idempotency.Claimed)
			u.claims(b, idempotency.InProgress)
			time.Sleep(after)
			u.claims(b, idempotency.Claimed)
		},
		"late_holder_neither_overwrites_nor_releases": func(u user) {
			u.claims(leased(a, short), idempotency.Claimed)
			time.Sleep(after)
			u.claims(b, idempotency.Claimed)
			u.releases(a)
			u.claims(a, idempotency.InProgress)
			u.finishes(a, created(), long, idempotency.ErrLost)
			u.claims(a, idempotency.InProgress)
			u.finishes(b, created(), long, nil)
			u.finishes(a, idempotency.Answer{Status: http.StatusOK}, long, idempotency.ErrLost)

			if got := u.claims(a, idempotency.Done).Status; got != http.StatusCreated {
				u.Errorf("the answer of another was overwritten: %d", got)
			}
		},
		"late_holder_still_finishes_a_key_that_nobody_took": func(u user) {
			u.claims(leased(a, short), idempotency.Claimed)
			time.Sleep(after)
			u.finishes(a, created(), long, nil)
			u.claims(b, idempotency.Done)
		},
		"one_of_many_claims_at_a_time": func(u user) {
			var (
				wg      sync.WaitGroup
				claimed atomic.Int64
			)

			for i := range 32 {
				wg.Go(func() {
					state, _, err := u.Claim(u.Context(), claim("key", "print", string(rune('A'+i))))
					if err != nil {
						u.Error(err)
					}

					if state == idempotency.Claimed {
						claimed.Add(1)
					}
				})
			}

			wg.Wait()

			if got := claimed.Load(); got != 1 {
				u.Errorf("%d claimed", got)
			}
		},
	}
}

// testStore holds a store to the contract. Each part gets an empty one, and runs as in says: in a bubble of virtual time, if the store
// is in memory.
func testStore(t *testing.T, in func(*testing.T, func(*testing.T)), open func() idempotency.Store) {
	t.Helper()

	for name, part := range contract() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(t *testing.T) { //nolint:thelper // It is the test.
				part(user{TB: t, Store: open()})
			})
		})
	}
}
