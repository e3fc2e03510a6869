package gateway

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// isWholeMessage reports whether the response is one message, rather than a stream, a field of a message, or a file.
func (r *Route) isWholeMessage() bool {
	return !r.ServerStream && r.ResponseBody == "" && !r.isFile()
}

// taggedFields are the fields of the reply that tags of the policy read. It must be decoded for them.
func (r *Route) taggedFields() []schema.FieldPath {
	tags := slices.Clone(r.Policy.Invalidates)
	if r.Policy.Cache != nil {
		tags = append(tags, r.Policy.Cache.Tags...)
	}

	var paths []schema.FieldPath
	for _, tag := range tags {
		paths = append(paths, tag.ResponseFields()...)
	}

	return paths
}

// readFields are the fields of the reply, or of each message of a stream, that the policy of the route reads.
func (r *Route) readFields() []schema.FieldPath {
	paths := r.taggedFields()

	if r.Policy.Location != nil {
		paths = append(paths, r.Policy.Location.Fields()...)
	}

	if r.Policy.EventID != nil {
		paths = append(paths, r.Policy.EventID)
	}

	return paths
}

// neededFields are those that have to be in the reply, whatever the client asks for: those that are read, and the token for the
// link to the next page.
func (r *Route) neededFields() []schema.FieldPath {
	paths := r.readFields()
	if r.pages != nil {
		paths = append(paths, schema.FieldPath{r.pages.next})
	}

	return paths
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
	case x.route.wholeMessage:
	case x.route.responseBody != nil && !selects(message):
		return x.masked(part{message, x.route.responseBody}), nil
	default:
		return x.masked(message), nil
	}

	x.reply.Message, x.reply.Mask = message, x.mask
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
