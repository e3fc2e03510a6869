package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// messages is the body of a request that is a stream of messages. It decodes itself: generated handlers get one message after the
// other, bound and checked.
type messages struct {
	exchange *exchange
	source   source
	// count is how many there were.
	count int
}

// source reads the body of one message after the other into a message. It ends with io.EOF.
type source interface {
	next(m proto.Message) error
}

func newMessages(x *exchange) *messages {
	return &messages{exchange: x, source: newSource(x)}
}

func newSource(x *exchange) source {
	contentType := x.request.Header.Get("Content-Type")
	mediaType, params, _ := mime.ParseMediaType(contentType)

	switch {
	case !x.route.binding.IsFile():
		body := &countedBody{body: x.request.Body, rec: reqinfo.From(x.Context)}

		return &documents{exchange: x, reader: bufio.NewReader(body), array: !isLines(mediaType)}
	case mediaType == "multipart/form-data":
		return &form{exchange: x, body: x.request.Body, boundary: params["boundary"]}
	default:
		return &file{exchange: x, contentType: contentType, body: x.request.Body}
	}
}

// Decode reads the next message. The error is io.EOF after the last; any other ends the call, also where generated code takes an
// error for the end.
func (s *messages) Decode(v any) error {
	err := s.decode(v)
	if err != nil && !errors.Is(err, io.EOF) {
		s.exchange.fail(err)
	}

	return err
}

func (s *messages) decode(v any) error {
	message, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", v)
	}

	x := s.exchange
	// The message before has been sent.
	reqinfo.From(x.Context).Release()

	if err := x.route.binding.SetPath(pathParams(x.request), message.ProtoReflect()); err != nil {
		return invalid(err)
	}

	var faults binding.Faults

	err := s.source.next(message)
	if errors.Is(err, io.EOF) {
		if s.count == 0 {
			// What is wrong beside the body is wrong without messages, too.
			if err := x.bindParameters(message, binding.Faults{}); err != nil {
				return err
			}
		}

		return io.EOF
	}

	if err := faults.Add(err); err != nil {
		return err
	}

	for i := range faults.List {
		if !x.route.binding.IsFile() {
			faults.List[i].Name = numbered(s.count, faults.List[i].Name)
		}
	}

	s.count++

	if err := x.bindRest(message, faults); err != nil {
		return err
	}

	return x.check(x.request.Context(), message)
}

// numbered is the JSON path of a place in one of many messages.
func numbered(index int, path string) string {
	path = strings.TrimSuffix(fmt.Sprintf("[%d].%s", index, path), ".")

	return strings.Replace(path, "].[", "][", 1)
}

// Read makes it a body, which nobody reads.
func (s *messages) Read([]byte) (int, error) { return 0, io.EOF }

// Close leaves the client's body to the server.
func (s *messages) Close() error { return nil }

// documents are JSON documents: one on each line or, if the first byte says so, the elements of an array.
type documents struct {
	exchange *exchange
	reader   *bufio.Reader
	// array tells that the body may be an array.
	array bool

	decoder *json.Decoder
	within  bool
}

// countedBody counts the memory that json.Decoder takes for what it reads, which is all of a document before it is decoded.
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
		err = tooMuchMemory("the body")
	}

	return n, err
}

// isLines tells whether a media type is that of JSON documents in lines.
func isLines(mediaType string) bool {
	switch mediaType {
	case mediaNDJSON, "application/ndjson", "application/jsonl", "application/json-lines", "application/x-jsonlines":
		return true
	default:
		return false
	}
}

func (d *documents) next(m proto.Message) error {
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

	return d.exchange.decode(document, m)
}

// begin looks at the first byte.
func (d *documents) begin() error {
	for d.array {
		first, err := d.reader.Peek(1)

		switch {
		case errors.Is(err, io.EOF):
			return io.EOF
		case err != nil:
			return unread(err)
		case bytes.ContainsAny(first, " \t\r\n"):
			_, _ = d.reader.Discard(1)

			continue
		}

		d.within = first[0] == '['

		break
	}

	d.decoder = json.NewDecoder(d.reader)

	if d.within {
		if _, err := d.decoder.Token(); err != nil {
			return d.fault(err)
		}
	}

	return nil
}

// end reads the end of the array, behind which there must be nothing.
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

// fault tells a body that is no JSON from one that cannot be read.
func (d *documents) fault(err error) error {
	syntax := (*json.SyntaxError)(nil)

	switch {
	case errors.As(err, &syntax):
		return malformed(fmt.Sprintf("is not valid JSON at byte %d", syntax.Offset))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return malformed("the document ends too early")
	default:
		return unread(err)
	}
}

func malformed(reason string) error {
	return binding.Faults{List: []binding.Fault{{In: binding.InBody, Reason: reason}}}
}
