package stream

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Source is the body of a request that is a stream of messages.
type Source interface {
	// Next reads the body of the next message into m. After the last it returns io.EOF.
	Next(m proto.Message) error
}

// Decode reads a JSON document into a message.
type Decode func(document []byte, m proto.Message) error

// SetFile puts a piece of a file into a message. Only the first has a content type.
type SetFile func(m protoreflect.Message, contentType string, piece []byte)

// Documents reads the JSON documents in the body of a request: one on each line or, if the media type allows it and the first byte
// is '[', the elements of an array. Their memory is counted on the record.
func Documents(r *http.Request, rec *reqinfo.Record, decode Decode) Source {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	body := &countedBody{body: r.Body, rec: rec}

	return &documents{decode: decode, reader: bufio.NewReader(body), array: !IsLines(mediaType)}
}

// Files reads the file that is the body of a request, or the only part of the form in it, in pieces.
func Files(r *http.Request, set SetFile) Source {
	contentType := r.Header.Get("Content-Type")
	if mediaType, params, _ := mime.ParseMediaType(contentType); mediaType == "multipart/form-data" {
		return &form{set: set, body: r.Body, boundary: params["boundary"]}
	}

	return &file{set: set, contentType: contentType, body: r.Body}
}

type documents struct {
	decode Decode
	reader *bufio.Reader
	// array reports that the body may be an array.
	array bool

	decoder *json.Decoder
	within  bool
}

// Next implements Source.
func (d *documents) Next(m proto.Message) error {
	if d.decoder == nil {
		if err := d.begin(); err != nil {
			return err
		}
	}

	if d.within && !d.decoder.More() {
		return d.end()
	}

	var document json.RawMessage

	switch err := d.decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		if d.within {
			return malformed("the array ends too early")
		}

		return io.EOF
	case err != nil:
		return d.fault(err)
	}

	return d.decode(document, m)
}

// begin finds out whether the body is an array.
func (d *documents) begin() error {
	if d.array {
		first, err := byte(' '), error(nil)
		for err == nil && strings.IndexByte(" \t\r\n", first) >= 0 {
			first, err = d.reader.ReadByte()
		}

		switch {
		case errors.Is(err, io.EOF):
			return io.EOF
		case err != nil:
			return problem.Unreadable(err)
		}

		_ = d.reader.UnreadByte()
		d.within = first == '['
	}

	d.decoder = json.NewDecoder(d.reader)

	if d.within {
		if _, err := d.decoder.Token(); err != nil {
			return d.fault(err)
		}
	}

	return nil
}

// end reads the end of the array, after which there must be nothing.
func (d *documents) end() error {
	if _, err := d.decoder.Token(); err != nil {
		return d.fault(err)
	}

	switch _, err := d.decoder.Token(); {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err == nil:
		return malformed("unexpected data after the array")
	default:
		return d.fault(err)
	}
}

// fault distinguishes a body that is not JSON from one that cannot be read.
func (d *documents) fault(err error) error {
	syntax := (*json.SyntaxError)(nil)

	switch {
	case errors.As(err, &syntax):
		return malformed(fmt.Sprintf("is not valid JSON at byte %d", syntax.Offset))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return malformed("the document ends too early")
	default:
		return problem.Unreadable(err)
	}
}

func malformed(reason string) error {
	return binding.Faults{List: []binding.Fault{{In: binding.InBody, Reason: reason}}}
}

// countedBody counts the memory that json.Decoder needs for a document.
type countedBody struct {
	body io.Reader
	rec  *reqinfo.Record
}

func (b *countedBody) Read(p []byte) (int, error) {
	// Its buffer is doubled when it is full, and the document is copied out of it.
	const copies = 4

	n, err := b.body.Read(p)
	b.rec.Spend(copies * int64(n))

	if err == nil && b.rec.MemoryLeft() < 0 {
		err = problem.BodyTooExpensive()
	}

	return n, err
}
