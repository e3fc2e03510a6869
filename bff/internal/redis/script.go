package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Script is a Lua script. Redis gets its source once and its hash from then on. In a Cluster the keys of a run must be in one slot.
// It is safe for concurrent use.
type Script struct {
	name   string
	script *goredis.Script
}

// NewScript returns a script with a name for the Observer.
func NewScript(name, source string) *Script {
	return &Script{name: name, script: goredis.NewScript(source)}
}

// Run runs a script: one command, unless Redis does not know the script yet.
func (c *Client) Run(ctx context.Context, s *Script, keys []string, args ...any) *goredis.Cmd {
	start := time.Now()
	cmd := s.script.Run(ctx, c, keys, args...)

	c.guard.observer.Command(s.name, time.Since(start), failureOf(cmd.Err()))

	return cmd
}

// Call is one of several runs of a script.
type Call struct {
	Keys []string
	Args []any
}

// RunEach runs a script once for each call, in no order, with one pipeline for each node of a Cluster, at the same time. Each of
// the commands has its own error.
func (c *Client) RunEach(ctx context.Context, s *Script, calls []Call) []*goredis.Cmd {
	start := time.Now()
	cmds := make([]*goredis.Cmd, len(calls))
	pipe := c.Pipeline()

	for i, call := range calls {
		cmds[i] = s.script.EvalSha(ctx, pipe, call.Keys, call.Args...)
	}

	_, err := pipe.Exec(ctx) // It is that of one of the commands.

	for i, call := range calls {
		if goredis.HasErrorPrefix(cmds[i].Err(), "NOSCRIPT") {
			cmds[i] = s.script.Eval(ctx, pipe, call.Keys, call.Args...)
		}
	}

	if pipe.Len() > 0 {
		_, err = pipe.Exec(ctx)
	}

	c.guard.observer.Command(s.name, time.Since(start), failureOf(err))

	return cmds
}
