package session_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/testkit/sessiontest"
)

func memory(tb testing.TB, size int) *session.Memory {
	tb.Helper()

	m, err := session.NewMemory(size)
	if err != nil {
		tb.Fatal(err)
	}

	return m
}

func TestMemoryIsAStore(t *testing.T) {
	t.Parallel()
	sessiontest.Run(t, synctest.Test, func() session.Store { return memory(t, 1000) })
}

// The session goes that was not used for the longest time, with its labels.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := memory(t, 3)
		u := sessiontest.User{TB: t, Store: m}

		for _, key := range []string{"a", "b", "c"} {
			u.Creates(sessiontest.Entry(key, "all"))
		}

		u.Finds("a", time.Hour, "data of a")
		u.Finds("b", 0, "data of b") // That is no use of it.
		u.Creates(sessiontest.Entry("d", "all"))
		u.Misses("b")

		m.Resize(2)
		u.Misses("c")
		u.Finds("a", time.Hour, "data of a")
		u.DeletesAll("all", 2)

		m.Resize(10)

		for i := range 10 {
			u.Creates(sessiontest.Entry(fmt.Sprint(i), "all"))
		}

		if m.Len() != 10 {
			t.Errorf("%d sessions", m.Len())
		}

		time.Sleep(time.Hour)

		if m.Len() != 0 {
			t.Errorf("%d sessions, all of which have ended", m.Len())
		}
	})
}

// Logins that fail leave claims behind, which anyone can make.
func TestClaimsInMemoryAreBounded(t *testing.T) {
	t.Parallel()

	u := sessiontest.User{TB: t, Store: memory(t, 1)}
	u.Claims("first", "me", time.Hour, true)

	for i := range 100_000 {
		u.Claims(fmt.Sprint(i), "me", time.Hour, true)
	}

	u.Claims("first", "you", time.Hour, true)
	u.Claims("99999", "you", time.Hour, false)
}
