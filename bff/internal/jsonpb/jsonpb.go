// Package jsonpb is how the gateway writes and reads JSON: the protobuf JSON mapping
// (https://protobuf.dev/programming-guides/json/), strictly. A body is one document and nothing after it, and its fields are known.
package jsonpb

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
)

// Marshaler implements runtime.Marshaler. It is safe for concurrent use.
type Marshaler struct{ runtime.JSONPb }

var _ runtime.Marshaler = (*Marshaler)(nil)

// New returns a marshaler that writes camelCase names and leaves out unset fields.
func New() *Marshaler {
	return &Marshaler{runtime.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{},
		UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
	}}
}

// NewDecoder returns a decoder that reads all of r as one document. Its error is io.EOF if there is nothing to read.
func (m *Marshaler) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("read body: %w", err)
		}

		if len(data) == 0 {
			return io.EOF
		}

		return m.Unmarshal(data, v)
	})
}

// Unmarshal decodes one document.
func (m *Marshaler) Unmarshal(data []byte, v any) error {
	// The embedded decoder stops after the first document.
	if err := oneDocument(data); err != nil {
		return err
	}

	if err := m.JSONPb.Unmarshal(data, v); err != nil {
		return errors.New(plain(err))
	}

	return nil
}

func oneDocument(data []byte) error {
	if json.Valid(data) {
		return nil
	}

	var syntax *json.SyntaxError
	if err := json.Unmarshal(data, new(json.RawMessage)); errors.As(err, &syntax) {
		return fmt.Errorf("the body is not one JSON document: %w at byte %d", syntax, syntax.Offset)
	}

	return errors.New("the body is not one JSON document")
}

// plain is an error of protojson without its name in front, which is followed by a space or, so that nobody relies on the text, by
// one that does not break.
func plain(err error) string {
	text := strings.TrimPrefix(err.Error(), "proto:")

	return strings.TrimLeft(text, " \u00a0")
}
