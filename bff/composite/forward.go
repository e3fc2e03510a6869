package composite

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
)

// Forward returns a function for Required or Optional that passes a reply on without decoding it: the reply becomes the field of
// the page that the branch is named after. The call is a method of a generated client:
//
//	composite.Required("user", composite.Forward(s.users.GetUser, &userv1.GetUserRequest{UserId: id}))
//
// The field has the type of the reply, or it is a list, and gets the list of such messages that the reply has: the other fields of
// the reply are left out. Run returns an error if the field has another type, or if something else sets it as well.
//
// The field is not set in the Go struct of the page, neither for branches that come after this one nor when Run has returned: it is
// among the unknown fields, from where JSON is written. See Decode.
//
// If the request depends on another branch, make the function in that of the branch:
//
//	composite.Optional("buyer", func(ctx context.Context) error {
//		return composite.Forward(s.profiles.GetProfile, &profilev1.GetProfileRequest{UserId: page.GetOrder().GetUserId()})(ctx)
//	}).After(order)
//
// The function returns the error of the call, or one if the reply is not valid protobuf. What is wrong within the messages of a
// reply, such as a text that is not UTF-8, shows when JSON is written, and fails the whole response.
func Forward[Request, Reply proto.Message](
	call func(context.Context, Request, ...grpc.CallOption) (Reply, error), request Request,
) func(context.Context) error {
	return func(ctx context.Context) error {
		t, ok := ctx.Value(taskKey{}).(*task)
		if !ok {
			return misusef("what Forward returns was called outside of a branch, or with another context than that of the branch")
		}

		reply, err := call(ctx, request, undecoded...)
		if err != nil {
			return err
		}

		return t.forward(reply.ProtoReflect())
	}
}

// undecoded is not written to.
//
//nolint:gochecknoglobals // Constant.
var undecoded = []grpc.CallOption{passthrough.Option()}

// Decode sets the fields of a page that Forward has put among the unknown ones, to read them after Run or to compare pages in a
// test. A composite that returns the page need not call it. The error is about a reply that is not valid; the page is then worth
// nothing.
func Decode(page proto.Message) error { return passthrough.Decode(page) }

// forwarded is a reply that becomes a field of a page.
type forwarded struct {
	// encoding is that of the reply.
	encoding []byte
	// list is the number of the field in it that becomes the field of the page. Zero: all of it does.
	list protowire.Number
	// size is how many bytes it takes in the page.
	size int
}

// forward takes a reply for the field of the branch.
func (t *task) forward(reply protoreflect.Message) (err error) {
	if !reply.IsValid() {
		return misusef("branch %s: the call returned neither a reply nor an error", t.name)
	}

	var f forwarded

	if f.list, err = t.listIn(reply.Descriptor()); err != nil {
		return err
	}

	if f.encoding, err = passthrough.Encoding(reply.Interface()); err != nil {
		return fmt.Errorf("encode the reply: %w", err)
	}

	if f.size, err = f.sizeAs(t.field.Number()); err != nil {
		return fmt.Errorf("the reply is not a valid %s: %w", reply.Descriptor().FullName(), err)
	}

	if !t.hasReply.CompareAndSwap(false, true) {
		return misusef("branch %s: two replies for one field", t.name)
	}

	t.reply = f

	return nil
}

// listIn returns the number of the field of a reply that becomes the field of the page; zero if all of the reply does.
func (t *task) listIn(reply protoreflect.MessageDescriptor) (list protowire.Number, err error) {
	if t.field.Kind() != protoreflect.MessageKind || t.field.IsMap() {
		return 0, misusef("branch %s: a reply cannot be forwarded to a field that is no message and no list of messages", t.name)
	}

	wanted := t.field.Message().FullName()

	if !t.field.IsList() {
		if reply.FullName() != wanted {
			return 0, misusef("branch %s: the field is %s, and the reply %s", t.name, wanted, reply.FullName())
		}

		return 0, nil
	}

	for fields, i := reply.Fields(), 0; i < fields.Len(); i++ {
		f := fields.Get(i)
		if f.Kind() != protoreflect.MessageKind || !f.IsList() || f.Message().FullName() != wanted {
			continue
		}

		if list != 0 {
			return 0, misusef("branch %s: the reply %s has more than one list of %s", t.name, reply.FullName(), wanted)
		}

		list = f.Number()
	}

	if list == 0 {
		return 0, misusef("branch %s: the field is a list of %s, and the reply %s has none", t.name, wanted, reply.FullName())
	}

	return list, nil
}

// sizeAs returns how many bytes the reply takes as a field of that number. The error is about the encoding of the reply; the
// messages in it are not looked into.
func (f *forwarded) sizeAs(number protowire.Number) (size int, err error) {
	tag := protowire.SizeTag(number)

	for element, err := range passthrough.Values(f.encoding, f.list) {
		if err != nil {
			return 0, err
		}

		size += tag + protowire.SizeBytes(len(element))
	}

	if f.list == 0 {
		size = tag + protowire.SizeBytes(len(f.encoding))
	}

	return size, nil
}

// append appends the reply as a field of that number. Its encoding is valid, as sizeAs has found.
func (f *forwarded) append(out []byte, number protowire.Number) []byte {
	if f.list == 0 {
		return protowire.AppendBytes(protowire.AppendTag(out, number, protowire.BytesType), f.encoding)
	}

	for element, err := range passthrough.Values(f.encoding, f.list) {
		if err == nil {
			out = protowire.AppendBytes(protowire.AppendTag(out, number, protowire.BytesType), element)
		}
	}

	return out
}

// errMisuse is an error of the composite's own code. It is the error of Run even if the branch is optional: as a missing part it
// would be overlooked.
var errMisuse = errors.New("composite")

func misusef(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errMisuse, fmt.Errorf(format, args...))
}
