package composite

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// skipUnasked skips the tasks for fields that are not asked for (AIP-157), unless another that runs comes after them. The others
// run with the context, in which pages are parts of this one, and are filled completely.
func skipUnasked(ctx context.Context, page proto.Message, tasks []task) context.Context {
	asked := askedOf(ctx, page)
	if asked == nil {
		return ctx
	}

	// Those that come after others are behind them.
	for i := range slices.Backward(tasks) {
		t := &tasks[i]
		needed := slices.ContainsFunc(t.next, func(next *task) bool { return !next.skipped })
		t.skipped = !needed && !slices.Contains(asked.Fields, t.name)
	}

	return context.WithValue(ctx, partKey{}, true)
}

type partKey struct{}

// askedOf returns what the client asks for of a page, if that is the response of the request, rather than a part of it or that of
// a composite that another one calls. Nil: all of it.
func askedOf(ctx context.Context, page proto.Message) *reqinfo.Selection {
	rec := reqinfo.From(ctx)
	method, _ := grpc.Method(ctx)

	if rec.Selection == nil || rec.RPC != method || ctx.Value(partKey{}) != nil ||
		rec.Selection.Message != string(page.ProtoReflect().Descriptor().FullName()) {
		return nil
	}

	return rec.Selection
}
