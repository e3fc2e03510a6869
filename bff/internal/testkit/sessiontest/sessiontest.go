// Package sessiontest has the tests of the contract of session.Store.
package sessiontest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session"
)

// Times of the contract. They are real for a store in another process, perhaps on a busy machine.
const (
	short = time.Second
	after = short + 100*time.Millisecond
	long  = time.Hour
	// Inexact is how far the clocks of a store and a test may be apart, with what a busy machine adds.
	Inexact = 10 * time.Second
)

// Entry returns a session that lasts long.
func Entry(key string, labels ...string) session.Entry {
	return session.Entry{Key: key, Data: []byte("data of " + key), Idle: long, Lifetime: 2 * long, Labels: labels}
}

// User calls a store and checks the results.
type User struct {
	testing.TB
	session.Store
}

// Creates creates a session.
func (u User) Creates(e session.Entry) {
	u.Helper()

	if err := u.Create(u.Context(), e); err != nil {
		u.Fatalf("create %s: %v", e.Key, err)
	}
}

// Finds loads a session, which must have the data.
func (u User) Finds(key string, idle time.Duration, data string) session.Stored {
	u.Helper()

	found, err := u.Load(u.Context(), key, idle)
	if err != nil || string(found.Data) != data {
		u.Fatalf("load %s: %q, %v; want %q", key, found.Data, err, data)
	}

	return found
}

// Misses loads a session that there is not.
func (u User) Misses(key string) {
	u.Helper()

	if _, err := u.Load(u.Context(), key, 0); !errors.Is(err, session.ErrNone) {
		u.Fatalf("load %s: %v, want that there is none", key, err)
	}
}

// Claims claims a name.
func (u User) Claims(name, owner string, lease time.Duration, want bool) {
	u.Helper()

	if got, err := u.Claim(u.Context(), name, owner, lease); err != nil || got != want {
		u.Fatalf("claim of %s by %s: %t, %v; want %t", name, owner, got, err, want)
	}
}

// DeletesAll deletes the sessions with a label.
func (u User) DeletesAll(label string, want int) {
	u.Helper()

	if got, err := u.DeleteAll(u.Context(), label); err != nil || got != want {
		u.Fatalf("delete all with %s: %d, %v; want %d", label, got, err, want)
	}
}

// Run runs the tests over empty stores. Each part runs within in, such as synctest.Test.
func Run(t *testing.T, in func(*testing.T, func(*testing.T)), open func() session.Store) {
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

func contract() map[string]func(User) {
	return map[string]func(User){
		"content": content, "idle": idle, "lifetime": lifetime, "not_prolonged": notProlonged, "replace": replace, "deleted": deleted,
		"labels": labels, "claims": claims, "one_claims": oneClaims, "one_replaces": oneReplaces,
		"ended": ended, "only_ended_or_found": onlyEndedOrFound, "bounded": bounded,
	}
}

func content(u User) {
	large := Entry("large")
	large.Data = bytes.Repeat([]byte{0, 255, '\n', '%'}, 16<<10) // Three tokens of 16 KB, and more.

	u.Creates(large)
	u.Creates(Entry("other"))
	u.Misses("none")

	before := time.Now()
	found := u.Finds("large", long, string(large.Data))

	if d := found.IdleUntil.Sub(before); d < long-Inexact || d > long+Inexact {
		u.Errorf("idle timeout in %s", d)
	}

	if d := found.Until.Sub(before); d < 2*long-Inexact || d > 2*long+Inexact {
		u.Errorf("ends in %s", d)
	}
}

func idle(u User) {
	one, two := Entry("used"), Entry("unused")
	one.Idle, two.Idle = short, short
	u.Creates(one)
	u.Creates(two)

	u.Finds("used", long, "data of used")
	time.Sleep(after)
	u.Finds("used", long, "data of used")
	u.Misses("unused")
}

func lifetime(u User) {
	ended := Entry("a")
	ended.Lifetime = short
	u.Creates(ended)

	if found := u.Finds("a", long, "data of a"); found.IdleUntil.After(found.Until.Add(Inexact / 100)) {
		u.Errorf("idle timeout %s after the end", found.IdleUntil.Sub(found.Until))
	}

	time.Sleep(after)
	u.Misses("a")

	if err := u.Replace(u.Context(), "a", 1, []byte("x")); !errors.Is(err, session.ErrNone) {
		u.Errorf("replace of one that has ended: %v", err)
	}

	u.Misses("a")
}

func notProlonged(u User) {
	e := Entry("a")
	e.Idle = short
	u.Creates(e)

	u.Finds("a", 0, "data of a")
	time.Sleep(after)
	u.Misses("a")
}

func replace(u User) {
	e := Entry("a", "label")
	e.Idle = short
	u.Creates(e)

	first := u.Finds("a", 0, "data of a")

	if err := u.Replace(u.Context(), "a", first.Version, []byte("new")); err != nil {
		u.Fatal(err)
	}

	second := u.Finds("a", 0, "new")
	if second.Version == first.Version {
		u.Error("the version is the same")
	}

	if err := u.Replace(u.Context(), "a", first.Version, []byte("old")); !errors.Is(err, session.ErrNone) {
		u.Errorf("replace of another version: %v", err)
	}

	u.Finds("a", 0, "new")

	if err := u.Replace(u.Context(), "b", 1, []byte("x")); !errors.Is(err, session.ErrNone) {
		u.Errorf("replace of none: %v", err)
	}

	u.Misses("b")

	// It neither prolongs a session nor takes its labels.
	time.Sleep(after)
	u.Misses("a")
	u.DeletesAll("label", 0)
}

func deleted(u User) {
	u.Creates(Entry("a"))
	u.Creates(Entry("b"))

	for range 2 {
		if err := u.Delete(u.Context(), "a"); err != nil {
			u.Fatal(err)
		}
	}

	u.Misses("a")
	u.Finds("b", long, "data of b")
}

func labels(u User) {
	ended := Entry("ended", "alice")
	ended.Idle = short
	u.Creates(ended)

	for i := range 20 {
		u.Creates(Entry(fmt.Sprint("alice", i), "alice", fmt.Sprint("sid", i)))
	}

	u.Creates(Entry("bob", "bob", "sid0"))

	if err := u.Delete(u.Context(), "alice1"); err != nil {
		u.Fatal(err)
	}

	time.Sleep(after)
	u.DeletesAll("none", 0)
	u.DeletesAll("sid0", 2)
	u.Misses("alice0")
	u.Misses("bob")
	u.DeletesAll("alice", 18)
	u.Misses("alice2")
	u.DeletesAll("alice", 0)

	// A label is not over with those that had it.
	u.Creates(Entry("again", "alice"))
	u.DeletesAll("alice", 1)
}

func claims(u User) {
	u.Claims("a", "one", short, true)
	u.Claims("a", "two", long, false)
	u.Claims("a", "one", short, true) // The reply may have been lost.
	u.Claims("c", "one", short, true)
	u.Claims("c", "one", long, true)
	u.Claims("b", "two", long, true)

	if err := u.Release(u.Context(), "b", "one"); err != nil {
		u.Fatal(err)
	}

	u.Claims("b", "three", long, false)

	for range 2 {
		if err := u.Release(u.Context(), "b", "two"); err != nil {
			u.Fatal(err)
		}
	}

	u.Claims("b", "three", long, true)

	time.Sleep(after)
	u.Claims("a", "two", long, true)
	u.Claims("c", "two", long, false)
}

// each runs a function so often at the same time, and returns how often it was true.
func each(n int, f func(i int) bool) int64 {
	var (
		running sync.WaitGroup
		count   atomic.Int64
	)

	for i := range n {
		running.Go(func() {
			if f(i) {
				count.Add(1)
			}
		})
	}

	running.Wait()

	return count.Load()
}

func oneClaims(u User) {
	got := each(20, func(i int) bool {
		ok, err := u.Claim(u.Context(), "name", fmt.Sprint("owner", i), long)

		return ok && err == nil
	})
	if got != 1 {
		u.Errorf("%d have the claim", got)
	}
}

func oneReplaces(u User) {
	u.Creates(Entry("a"))
	version := u.Finds("a", long, "data of a").Version

	got := each(20, func(i int) bool { return u.Replace(u.Context(), "a", version, []byte{byte(i)}) == nil })
	if got != 1 {
		u.Errorf("%d have replaced it", got)
	}
}
