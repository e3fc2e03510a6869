package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/policy"
)

// passThroughCodec does not decode replies: all fields of a message are among its unknown ones, from where it is written as it
// would be from the others. It is for messages whose fields nothing reads.
type passThroughCodec struct{ encoding.CodecV2 }

// passThrough is the option of a call.
//
//nolint:gochecknoglobals // Constant.
var passThrough = grpc.ForceCodecV2(passThroughCodec{encoding.GetCodecV2(protocodec.Name)})

// Unmarshal implements encoding.CodecV2.
func (passThroughCodec) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", v)
	}

	// The buffers go back to gRPC.
	message.ProtoReflect().SetUnknown(data.Materialize())

	return nil
}

// isWholeMessage reports whether the answer is one message and all of it: generated code neither takes a field out of it nor sends
// it as a file.
func (r *Route) isWholeMessage() bool {
	return !r.ServerStream && r.ResponseBody == "" && !r.isFile()
}

// readsAnswer reports whether the policy of the route looks into its answers.
func (r *Route) readsAnswer() bool {
	tags := slices.Clone(r.Policy.Invalidates)
	if r.Policy.Cache != nil {
		tags = append(tags, r.Policy.Cache.Tags...)
	}

	return r.Policy.Location != nil || slices.ContainsFunc(tags, policy.Tag.ReadsResponse)
}

// buffers are those that answers are written into.
//
//nolint:gochecknoglobals // A pool is for all.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxKept is how large a buffer may be that is kept for another answer, in bytes.
const maxKept = 1 << 20

// intoBuffer gives a message to the codec together with the buffer of its exchange, or only the field of it that is the answer.
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

// sentProtoPaths reports whether the client used paths of fields that JSON cannot hold, which it can then read.
func (x *exchange) sentProtoPaths() bool { return binding.HasProtoPath(x.sent) }

// release gives the buffer back, when the answer has been sent.
func (x *exchange) release() {
	if buffer := x.reply.Buffer; buffer != nil && cap(*buffer) <= maxKept {
		buffers.Put(buffer)
	}
}
