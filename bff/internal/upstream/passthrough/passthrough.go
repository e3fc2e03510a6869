// Package passthrough passes on the replies of backends without decoding them. It is for replies whose fields are not read: the JSON
// codec writes a message from its encoding, which may be among its unknown fields.
package passthrough

import (
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// codec leaves all fields of a message among its unknown ones.
type codec struct{ encoding.CodecV2 }

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is not a message", v)
	}

	// The buffers go back to gRPC.
	message.ProtoReflect().SetUnknown(data.Materialize())

	return nil
}

//nolint:gochecknoglobals // Constant.
var option = grpc.ForceCodecV2(codec{encoding.GetCodecV2(protocodec.Name)})

// Option makes a call leave the whole reply among the unknown fields of its message.
func Option() grpc.CallOption { return option }

// In reports whether Option is among the options of a call.
func In(opts []grpc.CallOption) bool {
	for _, opt := range opts {
		if forced, ok := opt.(grpc.ForceCodecV2CallOption); ok {
			if _, ours := forced.CodecV2.(codec); ours {
				return true
			}
		}
	}

	return false
}
