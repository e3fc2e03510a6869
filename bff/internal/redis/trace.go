package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// traced is a hook of the client by which commands of traced requests are spans. It is the outermost, so that they include the wait
// for a connection, and those that the breaker refuses. Keys and values are not in them.
type traced struct{}

// DialHook implements redis.Hook.
func (traced) DialHook(next goredis.DialHook) goredis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (traced) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		ctx, span := tracing.StartCommand(ctx, cmd.Name(), 1)
		err := next(ctx, cmd)
		endCommand(span, err)

		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (traced) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		ctx, span := tracing.StartCommand(ctx, "pipeline", len(cmds))
		err := next(ctx, cmds)
		endCommand(span, err)

		return err
	}
}

// endCommand ends the span. That there is no such key is no error, and neither is that a script is not known yet.
func endCommand(span *tracing.Span, err error) {
	if span == nil {
		return
	}

	if reason, _ := reasonOf(err); reason != "" {
		span.Fail(reason, err.Error())
	}

	span.End()
}
