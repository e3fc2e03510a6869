package redissession_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/testkit/sessiontest"
)

// hook calls before with each command. An error is that of the command.
type hook struct{ before func(command string) error }

func (h hook) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (h hook) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if err := h.before(fmt.Sprint(cmd.Args()...)); err != nil {
			cmd.SetErr(err)
			return err
		}

		return next(ctx, cmd)
	}
}

func (h hook) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		for _, cmd := range cmds {
			if err := h.before(fmt.Sprint(cmd.Args()...)); err != nil {
				cmd.SetErr(err)
				continue
			}

			if err := next(ctx, []goredis.Cmder{cmd}); err != nil {
				return err
			}
		}

		return nil
	}
}

// Once, a session that was created while another gateway ended those of its user had no label, and nothing could end it.
func TestCreateDuringDeleteAll(t *testing.T) {
	t.Parallel()

	for _, at := range []string{"p:session:race", "p:session-label:{alice}", "p:session-label:{other}"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()

			settings := config.Redis{URL: redistest.Start(t).URL(), Prefix: "p:"}
			first, client := open(t, settings)
			second, _ := open(t, settings)

			all := sync.OnceFunc(func() {
				if _, err := second.DeleteAll(t.Context(), "alice"); err != nil {
					t.Error(err)
				}
			})
			client.AddHook(hook{func(command string) error {
				if strings.Contains(command, at) {
					all()
				}

				return nil
			}})

			e := sessiontest.Entry("race", "alice", "other")
			e.Age = sessiontest.Inexact

			created := first.Create(t.Context(), e)
			_, err := second.Load(t.Context(), "race", 0)

			if !errors.Is(err, session.ErrNone) || created != nil && !errors.Is(created, session.ErrEnded) {
				t.Errorf("created: %v; found: %v", created, err)
			}
		})
	}
}

// A session that cannot be deleted keeps its label, and the others are deleted.
func TestDeleteAllGoesOn(t *testing.T) {
	t.Parallel()

	store, client := open(t, config.Redis{URL: redistest.Start(t).URL(), Prefix: "p:"})
	u := sessiontest.User{TB: t, Store: store}
	failed := false

	client.AddHook(hook{func(command string) error {
		if strings.HasPrefix(command, "del") && strings.HasSuffix(command, "p:session:b") && !failed {
			failed = true
			return errors.New("x")
		}

		return nil
	}})

	for _, key := range []string{"a", "b", "c"} {
		u.Creates(sessiontest.Entry(key, "alice"))
	}

	if n, err := store.DeleteAll(t.Context(), "alice"); n != 2 || err == nil {
		t.Errorf("deleted %d, %v", n, err)
	}

	u.Misses("a")
	u.Misses("c")
	u.DeletesAll("alice", 1)
	u.Misses("b")
}
