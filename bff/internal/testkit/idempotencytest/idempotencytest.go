// Package idempotencytest has the tests of the contract of idempotency.Store.
package idempotencytest

import (
	"errors"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/idempotency"
)

// Times of the contract. They are real for a store in another process, perhaps on a busy machine.
const (
	short = time.Second
	after = short + 100*time.Millisecond
	long  = time.Hour
)

// Claim returns a claim with a long lease.
func Claim(key, fingerprint, owner string) idempotency.Claim {
	return idempotency.Claim{Key: key, Fingerprint: fingerprint, Owner: owner, Lease: long}
}

// Leased returns the claim with another lease.
func Leased(c idempotency.Claim, lease time.Duration) idempotency.Claim {
	c.Lease = lease

	return c
}

func created() idempotency.Response {
	return idempotency.Response{
		Status: http.StatusCreated, Code: codes.OK, Body: []byte{0, '{', '}', 255},
		Header: http.Header{"Content-Type": {"application/json"}, "Link": {"</1>", "</2>"}},
	}
}

// User calls a store and checks the results.
type User struct {
	testing.TB
	idempotency.Store
}

// Claims claims a key, which must end in a state.
func (u User) Claims(c idempotency.Claim, want idempotency.State) idempotency.Response {
	u.Helper()

	state, res, err := u.Claim(u.Context(), c)
	if err != nil || state != want {
		u.Fatalf("claim of %s by %s: state %d, %v; want %d", c.Key, c.Owner, state, err, want)
	}

	return res
}

// Finishes stores a response, with an error or none.
func (u User) Finishes(c idempotency.Claim, res idempotency.Response, ttl time.Duration, want error) {
	u.Helper()

	if err := u.Finish(u.Context(), c, res, ttl); !errors.Is(err, want) {
		u.Fatalf("finish by %s: got %v, want %v", c.Owner, err, want)
	}
}

// Releases releases a key.
func (u User) Releases(c idempotency.Claim) {
	u.Helper()

	if err := u.Release(u.Context(), c); err != nil {
		u.Fatalf("release by %s: %v", c.Owner, err)
	}
}

// contract is what every Store does.
func contract() map[string]func(u User) {
	a, b, other := Claim("key", "print", "a"), Claim("key", "print", "b"), Claim("key", "other", "b")

	all := aboutClaims(a, b, other)
	maps.Copy(all, aboutResponses(a, b, other))
	maps.Copy(all, aboutLeases(a, b))

	return all
}

func aboutClaims(a, b, other idempotency.Claim) map[string]func(u User) {
	return map[string]func(u User){
		"free_key_is_claimed_once": func(u User) {
			u.Claims(a, idempotency.Claimed)
			u.Claims(b, idempotency.InProgress)
			u.Claims(a, idempotency.InProgress)
			u.Claims(Claim("key2", "print", "b"), idempotency.Claimed)
		},
		"other_fingerprint_is_reported_at_any_time": func(u User) {
			u.Claims(a, idempotency.Claimed)
			u.Claims(other, idempotency.Mismatch)
			u.Finishes(a, created(), long, nil)
			u.Claims(other, idempotency.Mismatch)
		},
		"one_of_many_claims_at_a_time": func(u User) {
			var (
				wg      sync.WaitGroup
				claimed atomic.Int64
			)

			for i := range 32 {
				wg.Go(func() {
					state, _, err := u.Claim(u.Context(), Claim("key", "print", string(rune('A'+i))))
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
		"released_key_is_free": func(u User) {
			u.Claims(a, idempotency.Claimed)
			u.Releases(a)
			u.Releases(a)
			u.Claims(other, idempotency.Claimed)
		},
		"only_the_owner_releases": func(u User) {
			u.Releases(b)
			u.Claims(a, idempotency.Claimed)
			u.Releases(b)
			u.Claims(b, idempotency.InProgress)
		},
	}
}

func aboutResponses(a, b, other idempotency.Claim) map[string]func(u User) {
	return map[string]func(u User){
		"response_comes_back_as_it_was": func(u User) {
			u.Claims(a, idempotency.Claimed)
			u.Finishes(a, created(), long, nil)

			if diff := cmp.Diff(created(), u.Claims(b, idempotency.Done)); diff != "" {
				u.Error(diff)
			}
		},
		"omitted_response_comes_back": func(u User) {
			want := idempotency.Response{Status: http.StatusNotFound, Code: codes.NotFound, Omitted: true}

			u.Claims(a, idempotency.Claimed)
			u.Finishes(a, want, long, nil)

			if diff := cmp.Diff(want, u.Claims(b, idempotency.Done)); diff != "" {
				u.Error(diff)
			}
		},
		"response_is_forgotten_after_ttl": func(u User) {
			u.Claims(a, idempotency.Claimed)
			u.Finishes(a, created(), short, nil)
			u.Claims(b, idempotency.Done)
			time.Sleep(after)
			u.Claims(other, idempotency.Claimed)
		},
		"response_is_not_released": func(u User) {
			u.Claims(a, idempotency.Claimed)
			u.Finishes(a, created(), long, nil)
			u.Releases(a)
			u.Claims(b, idempotency.Done)
		},
	}
}

func aboutLeases(a, b idempotency.Claim) map[string]func(u User) {
	return map[string]func(u User){
		"ttl_counts_not_the_lease": func(u User) {
			u.Claims(Leased(a, short), idempotency.Claimed)
			u.Finishes(a, created(), long, nil)
			time.Sleep(after)
			u.Claims(b, idempotency.Done)
		},
		"claim_is_free_after_its_lease": func(u User) {
			u.Claims(Leased(a, short), idempotency.Claimed)
			u.Claims(b, idempotency.InProgress)
			time.Sleep(after)
			u.Claims(b, idempotency.Claimed)
		},
		"late_holder_neither_overwrites_nor_releases": func(u User) {
			u.Claims(Leased(a, short), idempotency.Claimed)
			time.Sleep(after)
			u.Claims(b, idempotency.Claimed)
			u.Releases(a)
			u.Claims(a, idempotency.InProgress)
			u.Finishes(a, created(), long, idempotency.ErrLost)
			u.Claims(a, idempotency.InProgress)
			u.Finishes(b, created(), long, nil)
			u.Finishes(a, idempotency.Response{Status: http.StatusOK}, long, idempotency.ErrLost)

			if got := u.Claims(a, idempotency.Done).Status; got != http.StatusCreated {
				u.Errorf("the response of another was overwritten: %d", got)
			}
		},
		"late_holder_still_finishes_a_key_that_nobody_claimed": func(u User) {
			u.Claims(Leased(a, short), idempotency.Claimed)
			time.Sleep(after)
			u.Finishes(a, created(), long, nil)
			u.Claims(b, idempotency.Done)
		},
	}
}

// Run tests a store. Each test gets an empty one, and in runs it: in a bubble of virtual time, if the store is in memory.
func Run(t *testing.T, in func(*testing.T, func(*testing.T)), open func() idempotency.Store) {
	t.Helper()

	for name, part := range contract() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(t *testing.T) { //nolint:thelper // It is the test.
				part(User{TB: t, Store: open()})
			})
		})
	}
}
