// Package passthrough passes on the replies of backends without decoding them. It is for replies whose fields are not read: the
// JSON codec writes a message from its encoding, which may be among its unknown fields.
package passthrough

import (
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
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

// Is reports whether an option of a call is Option.
func Is(opt grpc.CallOption) bool {
	forced, _ := opt.(grpc.ForceCodecV2CallOption)
	_, is := forced.CodecV2.(codec)

	return is
}

// In reports whether Option is among the options of a call.
func In(opts []grpc.CallOption) bool { return slices.ContainsFunc(opts, Is) }

// Encoding returns the protobuf encoding of a message, which may share memory with it if all fields are among the unknown ones.
func Encoding(m proto.Message) ([]byte, error) {
	if unknown := m.ProtoReflect().GetUnknown(); len(unknown) > 0 && len(unknown) == proto.Size(m) {
		return unknown, nil
	}

	encoding, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("marshal: %w", err)
	}

	return encoding, nil
}

// Decode makes fields of those that are among the unknown ones. It changes no other message that shares content with this one.
func Decode(m proto.Message) error {
	if len(m.ProtoReflect().GetUnknown()) == 0 {
		return nil
	}

	encoding, err := Encoding(m)
	if err != nil {
		return err
	}

	if err := proto.Unmarshal(encoding, m); err != nil {
		return fmt.Errorf("unmarshal: %w", err)
	}

	return nil
}

// Deliver gives a caller of a method a reply of its own, of which others may have the same encoding: decoded, or encoded among the
// unknown fields of its message. The error is a status.
func Deliver(method string, raw []byte, reply proto.Message, encoded bool) error {
	if encoded {
		proto.Reset(reply)
		reply.ProtoReflect().SetUnknown(slices.Clip(raw))

		return nil
	}

	if err := proto.Unmarshal(raw, reply); err != nil {
		return status.Errorf(codes.Internal, "decode the reply of %s: %v", method, err)
	}

	return nil
}
