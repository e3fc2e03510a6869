package redis

import (
	"context"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// IsCluster reports whether it is a Redis Cluster, where the keys of one script must be in one slot.
func (c *Client) IsCluster() bool {
	_, cluster := c.UniversalClient.(*goredis.ClusterClient)
	return cluster
}

// eachPrimary calls f with the server, or at the same time with each node of a Cluster that has slots. It returns one of the
// errors.
func (c *Client) eachPrimary(ctx context.Context, f func(context.Context, goredis.Cmdable) error) error {
	cluster, ok := c.UniversalClient.(*goredis.ClusterClient)
	if !ok {
		return f(ctx, c.UniversalClient)
	}

	//nolint:wrapcheck // It is the error of f.
	return cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error { return f(ctx, node) })
}

// once is a command that the client of a Cluster does not send again after it may have been executed. Redirections are followed.
type once struct{ goredis.Cmder }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

func onceEach(cmds []goredis.Cmder) []goredis.Cmder {
	out := make([]goredis.Cmder, len(cmds))
	for i, cmd := range cmds {
		out[i] = once{cmd}
	}

	return out
}

// firstKey returns the first key of a script; empty if there is none, or if it is another command.
func firstKey(cmd goredis.Cmder) string {
	const first = 3 // After the name, the hash or source, and the number of keys.

	if args := cmd.Args(); strings.HasPrefix(cmd.Name(), "eval") && len(args) > first {
		key, _ := args[first].(string)
		return key
	}

	return ""
}

// inSlotOf returns a key that is in the same slot as the other.
func inSlotOf(key, other string) string {
	if _, rest, found := strings.Cut(other, "{"); found {
		if tag, _, closed := strings.Cut(rest, "}"); closed && tag != "" {
			other = tag
		}
	}

	return key + ":{" + other + "}"
}

// nodeHook finds out, at the nodes of a Cluster, which commands set up the connection for another.
type nodeHook struct{}

type sentKey struct{}

// DialHook implements redis.Hook.
func (nodeHook) DialHook(next goredis.DialHook) goredis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (nodeHook) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		h := handshakeOf(ctx)

		switch {
		case h == nil:
			return next(ctx, cmd)
		case ctx.Value(sentKey{}) == nil:
			return next(context.WithValue(ctx, sentKey{}, true), cmd)
		default:
			err := next(ctx, cmd)
			h.done(cmd, err)

			return err
		}
	}
}

// ProcessPipelineHook implements redis.Hook.
func (nodeHook) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		h := handshakeOf(ctx)

		switch {
		case h == nil:
			return next(ctx, cmds)
		case ctx.Value(sentKey{}) == nil:
			return next(context.WithValue(ctx, sentKey{}, true), cmds)
		default:
			err := next(ctx, cmds)
			if err != nil {
				h.failed.Store(true)
			}

			return err
		}
	}
}
