// Package cachetest has the tests of the contract of cache.Store.
package cachetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/cache"
)

// Times of the contract. They are real for a store in another process.
const (
	long  = time.Hour
	short = 200 * time.Millisecond
	after = short + 100*time.Millisecond
)

// How long a long body and a long tag are.
const (
	longBody = 64 << 10
	longTag  = 1000
)

// Key is one of many.
func Key(name string) cache.Key { return sha256.Sum256([]byte(name)) }

// Entry returns an entry with the body and the tags.
func Entry(body string, tags ...string) *cache.Entry {
	return &cache.Entry{
		Header: http.Header{"Content-Type": {"application/json"}, "Link": {"</1>", "</2>"}}, Body: []byte(body), Tags: tags,
	}
}

// User calls a store and checks the results.
type User struct {
	testing.TB
	cache.Store
}

// Now is the current time of the store, for the key.
func (u User) Now(name string) cache.Mark {
	u.Helper()

	found, err := u.Lookup(u.Context(), Key(name))
	if err != nil {
		u.Fatal(err)
	}

	return found.Now
}

// Puts puts an entry whose fetch began at that time.
func (u User) Puts(name string, entry *cache.Entry, began cache.Mark, life time.Duration, want bool) {
	u.Helper()

	stored, err := u.Put(u.Context(), Key(name), entry, began, life)
	if err != nil || stored != want {
		u.Fatalf("put of %s: stored %t, %v; want %t", name, stored, err, want)
	}
}

// Finds finds what was put, or, if body is empty, nothing.
func (u User) Finds(name, body string) cache.Found {
	u.Helper()

	found, err := u.Lookup(u.Context(), Key(name))

	switch {
	case err != nil:
		u.Fatalf("lookup of %s: %v", name, err)
	case body == "" && found.Entry == nil:
	case body == "" || found.Entry == nil:
		u.Fatalf("lookup of %s: found %+v, want %q", name, found.Entry, body)
	default:
		want := Entry(body)
		if string(found.Entry.Body) != body || !cmp.Equal(found.Entry.Header, want.Header) {
			u.Fatalf("lookup of %s: found %+v", name, found.Entry)
		}
	}

	return found
}

// Invalidates invalidates tags.
func (u User) Invalidates(tags ...string) {
	u.Helper()

	if err := u.Invalidate(u.Context(), tags); err != nil {
		u.Fatal(err)
	}
}

// WantsChanged checks what changed since then.
func (u User) WantsChanged(since cache.Mark, want bool, tags ...string) {
	u.Helper()

	if changed, err := u.Changed(u.Context(), tags, since); err != nil || changed != want {
		u.Fatalf("changed of %q: %t, %v; want %t", tags, changed, err, want)
	}
}

// Run tests a store. Each test gets two of them, which share their entries; for one that shares nothing they are the same.
func Run(t *testing.T, pair func(tb testing.TB) (a, b cache.Store)) {
	t.Helper()

	for _, part := range []map[string]func(a, b User){storing(), invalidating(), racing()} {
		for name, test := range part {
			t.Run(name, func(t *testing.T) {
				t.Parallel()

				a, b := pair(t)
				test(User{t, a}, User{t, b})
			})
		}
	}
}

func storing() map[string]func(a, b User) {
	return map[string]func(a, b User){
		"stores_what_was_put": func(a, b User) {
			a.Finds("k", "")
			a.Puts("k", Entry("body"), a.Now("k"), long, true)
			b.Finds("k", "body")
			b.Finds("other", "")
			b.Puts("k", Entry("newer"), b.Now("k"), long, true)
			a.Finds("k", "newer")
		},
		"stores_any_bytes": func(a, b User) {
			body := "\x00\xff\r\n{\"" + strings.Repeat("\xfe", longBody)
			a.Puts("k", Entry(body, "t"), a.Now("k"), long, true)
			b.Finds("k", body)
			a.Puts("k", &cache.Entry{Header: http.Header{}}, a.Now("k"), long, true)

			if found, err := b.Lookup(b.Context(), Key("k")); err != nil || found.Entry == nil || len(found.Entry.Body) > 0 {
				b.Errorf("found %+v, %v; want an empty response", found.Entry, err)
			}
		},
		"ages_from_when_the_fetch_began": func(a, b User) {
			began := a.Now("k")

			time.Sleep(after)
			a.Puts("k", Entry("body"), began, long, true)

			if age := b.Finds("k", "body").Age; age < after-time.Millisecond || age > after+time.Minute {
				b.Errorf("age %s", age)
			}
		},
		"forgets_what_has_expired": func(a, b User) {
			a.Puts("k", Entry("body"), a.Now("k"), short, true)
			a.Puts("l", Entry("body"), a.Now("l"), long, true)
			time.Sleep(after)
			b.Finds("k", "")
			b.Finds("l", "body")
		},
		"ends_with_the_context": func(a, _ User) {
			ctx, cancel := context.WithCancel(a.Context())
			cancel()

			// A result is fine, too: not every store has to wait for something.
			_, _ = a.Lookup(ctx, Key("k"))
			_, _ = a.Put(ctx, Key("k"), Entry("1"), cache.Mark{}, long)
			_, _ = a.Changed(ctx, []string{"t"}, cache.Mark{})
		},
	}
}

func invalidating() map[string]func(a, b User) {
	return map[string]func(a, b User){
		"invalidates_by_any_tag": func(a, b User) {
			a.Puts("both", Entry("1", "s", "t"), a.Now("both"), long, true)
			a.Puts("other", Entry("2", "s"), a.Now("other"), long, true)
			a.Puts("none", Entry("3"), a.Now("none"), long, true)
			b.Invalidates("t", "u")
			a.Finds("both", "")
			b.Finds("both", "")
			a.Finds("other", "2")
			a.Finds("none", "3")
		},
		"stores_what_begins_after_an_invalidation": func(a, b User) {
			a.Invalidates("t")
			a.Puts("k", Entry("1", "t"), a.Now("k"), long, true)
			b.Finds("k", "1")
			b.Invalidates("t")
			b.Puts("k", Entry("2", "t"), b.Now("k"), long, true)
			a.Finds("k", "2")
		},
	}
}

func racing() map[string]func(a, b User) {
	return map[string]func(a, b User){
		"does_not_store_what_began_before_an_invalidation": func(a, b User) {
			k, l, m := a.Now("k"), a.Now("l"), a.Now("m")

			b.Invalidates("t")
			a.Puts("k", Entry("1", "s", "t"), k, long, false)
			a.Finds("k", "")
			a.Puts("l", Entry("2", "s"), l, long, true)
			a.Puts("m", Entry("3"), m, long, true)
		},
		"a_refused_response_leaves_the_newer_one": func(a, b User) {
			began := a.Now("k")

			b.Invalidates("t")
			b.Puts("k", Entry("new", "t"), b.Now("k"), long, true)
			a.Puts("k", Entry("old", "t"), began, long, false)
			b.Finds("k", "new")
		},
		"reports_what_changed": func(a, b User) {
			began := a.Now("k")
			a.WantsChanged(began, false)
			a.WantsChanged(began, false, "t")
			b.Invalidates("t")
			a.WantsChanged(began, true)
			a.WantsChanged(began, true, "s", "t")
			a.WantsChanged(began, false, "s")

			began = a.Now("k")
			a.WantsChanged(began, false)
			a.WantsChanged(began, false, "s", "t")
		},
		"tags_that_look_alike": func(a, b User) {
			tags := []string{"", "a", "a:", "a:1", "a:11", "ab", "a\x00b", "a\nb", strings.Repeat("a", longTag)}
			for _, tag := range tags {
				a.Puts(tag, Entry("1", tag), a.Now(tag), long, true)
			}

			for i, tag := range tags {
				b.Invalidates(tag)

				for j, other := range tags {
					a.Finds(other, map[bool]string{true: "1"}[j > i])
				}
			}
		},
		"an_invalidation_outlives_entries": func(a, b User) {
			a.Puts("long", Entry("1", "t"), a.Now("long"), long, true)
			a.Puts("short", Entry("2", "t"), a.Now("short"), short, true)

			began := a.Now("late")

			b.Invalidates("t")
			time.Sleep(after)
			a.Finds("long", "")
			a.Puts("late", Entry("3", "t"), began, long, false)
		},
		"nothing_obsolete_is_found_after_an_invalidation": raced,
	}
}

// race is a value that is written, and readers of what is stored of it.
type race struct {
	value    atomic.Int64 // What the entry is made of.
	finished atomic.Int64 // What was written and invalidated.
}

// raced has a writer that counts up and invalidates, and readers that must never find less than what was written before they began.
func raced(a, b User) {
	const rounds, readers = 50, 4

	var (
		r  race
		wg sync.WaitGroup
	)

	for i := range readers {
		u := []User{a, b}[i%2]

		wg.Go(func() {
			for least := int64(0); least < rounds; {
				least = r.finished.Load()

				if err := r.read(u, least); err != nil {
					u.Error(err)

					return
				}
			}
		})
	}

	for range rounds {
		r.value.Add(1)

		// Not Fatal, so that the readers come to their end.
		if err := b.Invalidate(b.Context(), []string{"t"}); err != nil {
			b.Error(err)
		}

		r.finished.Add(1)
	}

	wg.Wait()
}

// read looks for an entry, which must not be less than it was, and puts one if there is none.
func (r *race) read(u User, least int64) error {
	found, err := u.Lookup(u.Context(), Key("k"))
	if err != nil {
		return fmt.Errorf("lookup: %w", err)
	}

	if found.Entry == nil {
		entry := Entry(strconv.FormatInt(r.value.Load(), 10), "t")
		if _, err = u.Put(u.Context(), Key("k"), entry, found.Now, long); err != nil {
			return fmt.Errorf("put: %w", err)
		}

		return nil
	}

	if got, err := strconv.ParseInt(string(found.Entry.Body), 10, 64); err != nil || got < least {
		return fmt.Errorf("found %q after %d was written", found.Entry.Body, least)
	}

	return nil
}
