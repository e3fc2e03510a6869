package gateway

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/policy"
)

// isWholeMessage reports whether the response is one message, rather than a stream, a field of a message, or a file.
func (r *Route) isWholeMessage() bool {
	return !r.ServerStream && r.ResponseBody == "" && !r.isFile()
}

// readsReply reports whether the policy of the route reads fields of the reply.
func (r *Route) readsReply() bool {
	tags := slices.Clone(r.Policy.Invalidates)
	if r.Policy.Cache != nil {
		tags = append(tags, r.Policy.Cache.Tags...)
	}

	return r.Policy.Location != nil || slices.ContainsFunc(tags, policy.Tag.ReadsResponse)
}

// buffers are those that responses are written into.
//
//nolint:gochecknoglobals // A pool is shared.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled is how large a buffer in the pool may be, in bytes.
const maxPooled = 1 << 20

// intoBuffer passes a message to the codec with a buffer, or only the field of it that is the response.
func intoBuffer(ctx context.Context, message proto.Message) (any, error) {
	x, ok := exchangeFrom(ctx)

	switch {
	case !ok || message == nil:
		return message, nil
	case x.route.responseBody != nil && !selects(message):
		return part{message, x.route.responseBody}, nil
	case !x.route.wholeMessage:
		return message, nil
	}

	x.reply.Message = message
	x.reply.Buffer, _ = buffers.Get().(*[]byte)

	if x.sent != nil {
		x.reply.ProtoPaths = x.sentProtoPaths
	}

	return &x.reply, nil
}

// sentProtoPaths reports whether the client sent paths of fields that JSON cannot hold, so that it can read them as well.
func (x *exchange) sentProtoPaths() bool { return binding.HasProtoPath(x.sent) }

// release returns the buffer to the pool when the response has been sent.
func (x *exchange) release() {
	if buffer := x.reply.Buffer; buffer != nil && cap(*buffer) <= maxPooled {
		buffers.Put(buffer)
	}
}
