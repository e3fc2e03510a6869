package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"

	googlejson "google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// body is the canonical form of a body, in each of the spellings of names. Of an update it is what the mask names, some of which
// may be in the query.
func (b *binding) body(mediaType string, body []byte, named []string) ([][]byte, error) {
	documents := []json.RawMessage{body}
	stream := mediaType != mediaJSON

	if stream {
		documents = nil

		for line := range bytes.SplitSeq(body, []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				documents = append(documents, line)
			}
		}
	}

	var forms [][]byte

	for _, protoNames := range []bool{false, true} {
		var out []byte

		for _, document := range documents {
			text, err := b.document(document, protoNames, named)
			if err != nil {
				return nil, err
			}

			out = append(append(out, text...), '\n')
		}

		forms = append(forms, out)
	}

	return forms, nil
}

// document reads one document as the gateway does and writes it as protobuf does, without what the path sets
// and what a mask does not name.
func (b *binding) document(text []byte, protoNames bool, named []string) ([]byte, error) {
	options := googlejson.MarshalOptions{UseProtoNames: protoNames, AllowPartial: true}
	message := dynamicpb.NewMessage(b.input)

	var err error
	if b.field == nil {
		err = b.codec.Decode(text, message, protojson.Options{})
	} else {
		err = b.codec.DecodeField(text, message, b.field, protojson.Options{})
	}

	if err != nil {
		// A stream of client messages may come as an array.
		if elements := []json.RawMessage(nil); json.Unmarshal(text, &elements) == nil && b.field == nil {
			return b.array(elements, protoNames)
		}

		return nil, fmt.Errorf("%w: %w", errNoForm, err)
	}

	for _, path := range b.variables {
		clearPath(message, path)
	}

	b.clearUnnamed(message, named)

	replaceUnknown(message)

	out, err := options.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoForm, err)
	}

	if b.field == nil {
		return out, nil
	}

	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(out, &members); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoForm, err)
	}

	name := b.field.JSONName()
	if protoNames {
		name = b.field.TextName()
	}

	if value, ok := members[name]; ok {
		return value, nil
	}

	return b.unset(name, protoNames)
}

// unset is the form of a field that has its default.
func (b *binding) unset(name string, protoNames bool) ([]byte, error) {
	options := googlejson.MarshalOptions{UseProtoNames: protoNames, AllowPartial: true, EmitUnpopulated: true}

	out, err := options.Marshal(dynamicpb.NewMessage(b.input))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoForm, err)
	}

	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(out, &members); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoForm, err)
	}

	return members[name], nil
}

func (b *binding) array(elements []json.RawMessage, protoNames bool) ([]byte, error) {
	out := []json.RawMessage{}

	for _, element := range elements {
		text, err := b.document(element, protoNames, nil)
		if err != nil {
			return nil, err
		}

		out = append(out, text)
	}

	return json.Marshal(out)
}

// clearPath takes a field away that is set.
func clearPath(message protoreflect.Message, path schema.FieldPath) {
	for _, field := range path[:len(path)-1] {
		if !message.Has(field) {
			return
		}

		message = message.Mutable(field).Message()
	}

	message.Clear(path.Last())
}
