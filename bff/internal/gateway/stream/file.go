package stream

import (
	"errors"
	"io"
	"mime/multipart"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// pieceSize is how many bytes of a file a message holds: a message with its name and type then fits into a buffer of 32 KiB, the
// largest that grpc-go's pool has below those of 1 MiB.
const pieceSize = 31 << 10

// file is a file in pieces: the body itself, or a part of a form.
type file struct {
	set         SetFile
	contentType string
	body        io.Reader
	buffer      []byte
	begun       bool
}

// Next implements Source. An empty file is one empty piece, so that the backend gets a message.
func (f *file) Next(m proto.Message) error {
	if f.buffer == nil {
		f.buffer = make([]byte, pieceSize)
	}

	n, err := f.fill()

	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return problem.Unreadable(err)
	case n == 0 && f.begun:
		return io.EOF
	}

	contentType := ""
	if !f.begun {
		contentType = f.contentType
	}

	f.begun = true
	// The message is sent before the next one is read.
	f.set(m.ProtoReflect(), contentType, f.buffer[:n])

	return nil
}

// fill reads until the buffer is full or the body ends. Unlike io.ReadFull it does not report an end as an unexpected one.
func (f *file) fill() (n int, err error) {
	for n < len(f.buffer) && err == nil {
		var more int

		more, err = f.body.Read(f.buffer[n:])
		n += more
	}

	return n, err
}

// form is a form with one file (RFC 7578).
type form struct {
	set      SetFile
	body     io.Reader
	boundary string

	parts *multipart.Reader
	file  *file
}

// Next implements Source.
func (f *form) Next(m proto.Message) error {
	if f.parts == nil {
		if err := f.begin(); err != nil {
			return err
		}
	}

	err := f.file.Next(m)
	if !errors.Is(err, io.EOF) {
		return err
	}

	switch _, err := f.parts.NextRawPart(); {
	case err == io.EOF:
		return io.EOF
	case errors.Is(err, io.EOF):
		return malformed("the form ends too early")
	case err == nil:
		return malformed("the form has more than one part")
	default:
		return problem.Unreadable(err)
	}
}

func (f *form) begin() error {
	if f.boundary == "" {
		return malformed("the media type names no boundary")
	}

	f.parts = multipart.NewReader(f.body, f.boundary)

	part, err := f.parts.NextRawPart()

	switch {
	case errors.Is(err, io.EOF):
		return malformed("the form has no part")
	case err != nil:
		return problem.Unreadable(err)
	case part.FileName() == "":
		return malformed("the part of the form is not a file")
	}

	f.file = &file{set: f.set, contentType: part.Header.Get("Content-Type"), body: part}

	return nil
}
