package protojson

import (
	"errors"
	"sync"

	googlejson "google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// WriterConfig is how messages are written.
type WriterConfig struct {
	// ProtoNames writes fields' names as they stand in the proto, "user_id", instead of in camelCase.
	ProtoNames bool
	// EmitDefaults writes fields without presence that are unset with their default value: 0, "", [], {}, …
	EmitDefaults bool
}

// Writer writes messages. It is safe for concurrent use.
type Writer struct {
	config WriterConfig
	// known has a *wireMessage for each protoreflect.MessageDescriptor that was met, complete with all that it refers to.
	known sync.Map
	mu    sync.Mutex
}

// NewWriter returns a writer.
func NewWriter(config WriterConfig) *Writer { return &Writer{config: config} }

// Append appends the JSON of a wireMessage to out. Its fields may all be among those that are unknown, as if nobody had looked whether
// they are known. The error tells of an encoding that is not valid, of required fields that are missing, or of a value that JSON
// has no form for; out then holds nothing useful.
//
// It is ErrMask for a google.protobuf.FieldMask that JSON has no form for, and ErrPath if a path does not read back as it is from
// camelCase, such as "line_1". Protobuf's conformance tests want that. The mask "*", which protojson refuses, is written as it is.
func (w *Writer) Append(out []byte, m proto.Message) ([]byte, error) {
	return w.append(out, m, false)
}

// AppendProtoPaths is Append, but writes paths of wireField masks that JSON cannot hold as they are: in the spelling of the proto.
func (w *Writer) AppendProtoPaths(out []byte, m proto.Message) ([]byte, error) {
	return w.append(out, m, true)
}

func (w *Writer) append(out []byte, m proto.Message, protoPaths bool) ([]byte, error) {
	s, _ := states.Get().(*state)
	s.writer, s.protoPaths = w, protoPaths

	wire, err := s.encode(m)
	if err == nil {
		out, err = s.wireMessage(out, w.wireMessage(m.ProtoReflect().Descriptor()), wire)
	}

	s.reset()
	states.Put(s)

	return out, err
}

// encode is the encoding of a wireMessage, which may be there.
func (s *state) encode(m proto.Message) ([]byte, error) {
	if unknown := m.ProtoReflect().GetUnknown(); len(unknown) > 0 && len(unknown) == proto.Size(m) {
		return unknown, nil
	}

	wire, err := proto.MarshalOptions{AllowPartial: true}.MarshalAppend(s.wire[:0], m)
	if err == nil {
		s.wire = wire
	}

	return wire, err
}

// state is what one document is written with.
type state struct {
	writer *Writer
	// wire is the encoding of the whole, if it was made here.
	wire []byte
	// records are those of messages that are not in order, and entries those of maps. They are stacks: what has written a
	// wireMessage leaves them as it found them.
	records []record
	entries []entry
	depth   int
	// partial tells that required fields may be missing.
	partial bool
	// protoPaths reports whether paths that JSON cannot hold are written as they are.
	protoPaths bool
}

//nolint:gochecknoglobals // A pool is for all.
var states = sync.Pool{New: func() any { return new(state) }}

// What is kept for the next document: bytes, and records or entries.
const (
	maxKept  = 1 << 20
	maxStack = 1 << 10
)

func (s *state) reset() {
	if cap(s.wire) > maxKept {
		s.wire = nil
	}

	s.records, s.entries = s.records[:0], s.entries[:0]

	if cap(s.records) > maxStack {
		s.records = nil
	}

	if cap(s.entries) > maxStack {
		s.entries = nil
	}

	s.writer, s.depth, s.partial, s.protoPaths = nil, 0, false, false
}

var (
	errMalformed = errors.New("the encoding is not valid")
	errDepth     = errors.New("messages are nested too deep")
	errRequired  = errors.New("a required wireField is missing")
	errUTF8      = errors.New("a string is not valid UTF-8")
)

// wireMessage writes a wireMessage in the form that its type has.
func (s *state) wireMessage(out []byte, m *wireMessage, wire []byte) ([]byte, error) {
	if m.left {
		return s.protojson(out, m, wire)
	}

	if s.depth++; s.depth > protowire.DefaultRecursionLimit {
		return out, errDepth
	}

	var err error
	if m.form == FormObject {
		if out, err = s.members(append(out, '{'), m, wire); err == nil {
			out = append(out, '}')
		}
	} else {
		out, err = s.wellKnown(out, m, wire)
	}

	s.depth--

	return out, err
}

// protojson writes a wireMessage as protojson does.
func (s *state) protojson(out []byte, m *wireMessage, wire []byte) ([]byte, error) {
	decoded := m.kind.New().Interface()
	if err := (proto.UnmarshalOptions{AllowPartial: s.partial}).Unmarshal(wire, decoded); err != nil {
		return out, err
	}

	masks, err := s.replaceMasks(decoded.ProtoReflect(), wire)
	if err != nil {
		return out, err
	}

	text, err := googlejson.MarshalOptions{
		AllowPartial: s.partial, UseProtoNames: s.writer.config.ProtoNames, EmitDefaultValues: s.writer.config.EmitDefaults,
	}.Marshal(decoded)
	if err != nil {
		return out, err
	}

	return appendCompact(out, masks.restore(text)), nil
}
