// Package protojson reads and writes JSON: the protobuf JSON mapping (https://protobuf.dev/programming-guides/json/), strictly. A
// body is one document and nothing after it, its fields are known and set once, its nesting is limited, and an error says where.
//
// It reads what Google's protojson reads, and writes what that writes, without spaces. What is known about a message type is
// compiled once, from its descriptor, for both ways: see message and field. A document is read into the fields of a generated
// struct where they are known, or by way of the protobuf encoding. A message is written straight from its encoding, without
// decoding it.
package protojson

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Codec reads and writes JSON. It implements runtime.Marshaler, and is safe for concurrent use.
type Codec struct {
	tables   tables
	maxDepth int
	decoders sync.Pool // Of *decoder.
}

var (
	_ runtime.Marshaler = (*Codec)(nil)
	_ runtime.Delimited = (*Codec)(nil)
)

// New returns a codec. With EmitDefaults it still leaves out messages and optional fields that are unset.
func New(cfg config.JSON) *Codec {
	return &Codec{
		tables: tables{protoNames: cfg.Names == config.NamesProto, emitDefaults: cfg.EmitDefaults}, maxDepth: cfg.MaxDepth,
	}
}

// MaxDepth is how many objects and arrays may be nested in a document that is read.
func (c *Codec) MaxDepth() int { return c.maxDepth }

// SizeOf returns how many bytes of memory a new message takes.
func (c *Codec) SizeOf(desc protoreflect.MessageDescriptor) int64 { return c.tables.of(desc).size }

// Options are how one document is read.
type Options struct {
	Limits

	// DiscardUnknown skips unknown fields and unknown names of enum values.
	DiscardUnknown bool
	// Mask gets the paths of the fields that the document sets, in proto spelling: those of the members of messages, but for
	// lists, maps and messages with a JSON form of their own the path of the field. A field that is null has its path, too. Nil:
	// they are not needed.
	Mask *[]string
}

// Limits are what reading one document may cost.
type Limits struct {
	// Memory is how many bytes may be allocated to read the document, and afterwards how many of them were not. A document that
	// would take more is refused. Nil: a multiple of its size.
	Memory *int64
	// Done ends the reading when it is closed. Nil: nothing does.
	Done <-chan struct{}
}

// Decode reads a document into a message, which must be empty. It does not check that required fields of proto2 are set. The error
// is an *Error.
func (c *Codec) Decode(data []byte, m protoreflect.Message, options Options) error {
	d := c.decoder(data, options)
	defer c.release(d, options)

	return asError(d.document(c.tables.of(m.Descriptor()), m))
}

// DecodeField reads a document into a field of a message that is not set yet; null leaves it so. The error is an *Error.
func (c *Codec) DecodeField(data []byte, m protoreflect.Message, desc protoreflect.FieldDescriptor, options Options) error {
	d := c.decoder(data, options)
	defer c.release(d, options)

	table := c.tables.of(m.Descriptor())
	f := &table.fields[desc.Index()]
	s := table.targetOf(m).slot(f)

	var err *Error

	switch {
	case !f.null && d.literal("null"):
	case f.message != nil && !desc.IsList():
		// Its members are what the mask is about.
		err = d.embedded(f, s)
	default:
		err = d.field(f, s)
	}

	if err == nil {
		err = d.finish(m)
	}

	return asError(err)
}

// asError keeps a nil *Error from becoming an error that is not nil.
func asError(err *Error) error {
	if err == nil {
		return nil
	}

	return err
}

// Unmarshal reads one document into a message or, as generated code may ask, into a field of one.
func (c *Codec) Unmarshal(data []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return (&runtime.JSONPb{}).Unmarshal(data, v)
	}

	proto.Reset(m)

	if err := c.Decode(data, m.ProtoReflect(), Options{}); err != nil {
		return err
	}

	if err := proto.CheckInitialized(m); err != nil {
		return faultf("%s", textOf(err))
	}

	return nil
}

// NewDecoder returns a decoder that reads all of r as one document. Its error is io.EOF if there is nothing to read. A reader
// that is a decoder itself, of the messages of a stream, is returned as it is.
func (c *Codec) NewDecoder(r io.Reader) runtime.Decoder {
	if messages, ok := r.(runtime.Decoder); ok {
		return messages
	}

	if r == http.NoBody {
		return runtime.DecoderFunc(decodeNothing)
	}

	return runtime.DecoderFunc(func(v any) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}

		if len(data) == 0 {
			return io.EOF
		}

		return c.Unmarshal(data, v)
	})
}

func decodeNothing(any) error { return io.EOF }

// Into is a message that is to be written into a buffer, over what is in it. Marshal lets go of the message. The caller must be
// done with the result before the buffer is used again.
type Into struct {
	Message proto.Message
	Buffer  *[]byte
	// Mask has the fields that are written. Nil: all are.
	Mask *Mask
	// ProtoPaths reports whether paths of field masks that JSON cannot hold are written in the spelling of the proto, if there are
	// any. Nil: they are not, which is an error.
	ProtoPaths func() bool
}

// Marshal writes a message; a google.api.HttpBody as what is in it; and what generated code takes out of a message for
// response_body. The object that generated code wraps a message of a stream in is left away.
func (c *Codec) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case *httpbody.HttpBody:
		return v.GetData(), nil
	case *Into:
		out, err := c.append((*v.Buffer)[:0], v.Message, false, v.Mask.of())
		if errors.Is(err, errPath) && v.ProtoPaths != nil && v.ProtoPaths() {
			out, err = c.append((*v.Buffer)[:0], v.Message, true, v.Mask.of())
		}

		*v.Buffer = out
		// The result may wait for its reader much longer than it took to write.
		v.Message = nil

		return out, err
	case map[string]any:
		if result, wrapped := v["result"]; wrapped && len(v) == 1 {
			return c.document(result)
		}
	}

	return c.document(v)
}

// Delimiter is what generated code writes behind each message of a stream: nothing, since how they are separated is not the
// codec's business.
func (c *Codec) Delimiter() []byte { return nil }

// NewEncoder returns an encoder that writes documents to w, each on a line.
func (c *Codec) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		data, err := c.Marshal(v)
		if err != nil {
			return err
		}

		_, err = w.Write(append(data, '\n'))

		return err
	})
}

// ContentType is application/json, but a google.api.HttpBody has its own, unless that cannot be in a header (RFC 9110, section
// 5.5): then its bytes are of no known type.
func (c *Codec) ContentType(v any) string {
	body, ok := v.(*httpbody.HttpBody)

	switch {
	case !ok:
		return "application/json"
	case reqinfo.Plain(body.GetContentType()):
		return body.GetContentType()
	default:
		return "application/octet-stream"
	}
}

// textOf is an error of protobuf without its name in front, which is followed by a space or, so that nobody relies on the text, by
// one that does not break.
func textOf(err error) string {
	text := strings.TrimPrefix(err.Error(), "proto:")
	return strings.TrimLeft(text, " \u00a0")
}
