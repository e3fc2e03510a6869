package upstream

import (
	"context"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// reserve brings the deadline forward, if there is one, unless that has been done. The caller must call cancel when the call has
// ended.
func reserve(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || reqinfo.From(ctx).Reserved {
		return ctx, func() {}
	}

	return context.WithDeadline(ctx, deadline.Add(-reqinfo.Reserve(time.Until(deadline))))
}
