package sessiontest

import (
	"errors"
	"fmt"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session"
)

// ended: a login that began before the sessions with a label of its own were ended makes none.
func ended(u User) {
	u.DeletesAll("alice", 0)

	for name, tt := range map[string]struct {
		age    time.Duration
		labels []string
		want   error
	}{
		"before":          {Inexact, []string{"alice"}, session.ErrEnded},
		"second_label":    {Inexact, []string{"other", "alice"}, session.ErrEnded},
		"another_label":   {Inexact, []string{"bob"}, nil},
		"without_a_label": {Inexact, nil, nil},
		"after":           {0, []string{"alice"}, nil},
	} {
		e := Entry(name, tt.labels...)
		e.Age = tt.age

		if err := u.Create(u.Context(), e); !errors.Is(err, tt.want) {
			u.Errorf("create %s: %v, want %v", name, err, tt.want)
		}

		if tt.want != nil {
			u.Misses(name)
		} else {
			u.Finds(name, long, "data of "+name)
		}
	}

	u.DeletesAll("alice", 1)
}

// onlyEndedOrFound: a session that is created while those with its label are ended does not stay.
func onlyEndedOrFound(u User) {
	for i := range 20 {
		e := Entry(fmt.Sprint("a", i), "label")
		e.Age = Inexact

		each(2, func(i int) bool {
			if i == 0 {
				_ = u.Create(u.Context(), e)
			} else {
				_, _ = u.DeleteAll(u.Context(), "label")
			}

			return true
		})
		u.Misses(e.Key)
	}
}

// bounded: a user has so many sessions. Those that have ended do not count, nor those that share another label.
func bounded(u User) {
	u.Creates(Entry("first", "alice", "all"))

	for i := range session.PerSubject {
		u.Creates(Entry(fmt.Sprint("ended", i), "alice", "all"))

		if err := u.Delete(u.Context(), fmt.Sprint("ended", i)); err != nil {
			u.Fatal(err)
		}
	}

	u.Finds("first", long, "data of first")

	for i := range session.PerSubject + 2 {
		e := Entry(fmt.Sprint("a", i), "alice", "all")
		e.Lifetime += time.Duration(i) * time.Second
		u.Creates(e)
	}

	u.Creates(Entry("bob", "bob", "all"))
	u.Misses("first")
	u.Misses("a0")
	u.Misses("a1")
	u.Finds("a2", long, "data of a2")
	u.Finds("bob", long, "data of bob")
	u.DeletesAll("all", session.PerSubject+1)
}
