package batch

import (
	"encoding/binary"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
)

// item is what a request for a single item becomes in one for many.
type item struct {
	// common are the fields that all items of the batch share, and element is that of the list, encoded.
	common, element []byte
	// identity are the values by which the result is recognized, each by the field of the result. What is not set is not there.
	identity map[protowire.Number]string
}

// item returns what a request becomes. It is not ok if it cannot be put into a batch: because there is none for the method, or the
// request has something that is not for many items.
func (m *method) item(request []byte) (it item, ok bool) {
	if m.many == nil {
		return item{}, false
	}

	var key []byte

	byKey := m.many.Key != nil

	for field, err := range passthrough.Fields(request) {
		i := slices.IndexFunc(m.many.Common, func(p policy.FieldPair) bool { return p.Single.Number() == field.Number })

		switch {
		case err != nil:
			return item{}, false
		case i >= 0:
			it.common = append(protowire.AppendTag(it.common, m.many.Common[i].Other.Number(), field.Type), field.Value...)
		case byKey && field.Number == m.many.Key.Number():
			key = append(protowire.AppendTag(nil, m.many.Items.Number(), field.Type), field.Value...)
		case byKey:
			return item{}, false
		}
	}

	if byKey && key == nil {
		return item{}, false
	}

	if it.element = key; !byKey {
		it.element = protowire.AppendBytes(protowire.AppendTag(nil, m.many.Items.Number(), protowire.BytesType), request)
	}

	it.identity = map[protowire.Number]string{}

	for _, pair := range m.many.Identity {
		if value, set := scalar(request, pair.Single); set {
			it.identity[pair.Other.Number()] = value
		}
	}

	return it, true
}

// match returns the result for each item: by the key, if results have it, or else by their order. If an item has another result
// than its request says, none has one: the order is not that of the requests.
func (m *method) match(items []batchItem, results [][]byte) [][]byte {
	out := make([][]byte, len(items))

	if m.many.Key != nil && len(m.many.Identity) > 0 {
		field := m.many.Identity[0].Other
		byKey := make(map[string][]byte, len(results))

		for _, result := range results {
			value, _ := scalar(result, field)
			byKey[value] = result
		}

		for i, it := range items {
			out[i] = byKey[it.identity[field.Number()]]
		}

		return out
	}

	if len(results) != len(items) {
		return out
	}

	for i, it := range items {
		for _, pair := range m.many.Identity {
			want, has := it.identity[pair.Other.Number()]
			if got, _ := scalar(results[i], pair.Other); has && got != want {
				return out
			}
		}
	}

	return results
}

// elements returns the encoded messages of a list, none of which is nil.
func elements(raw []byte, list protowire.Number) ([][]byte, error) {
	var out [][]byte

	for element, err := range passthrough.Values(raw, list) {
		if err != nil {
			return nil, err
		}

		out = append(out, slices.Clip(element))
	}

	return out, nil
}

// scalar returns a text that is the same for the same value of a field, and whether the field is in the encoded message.
func scalar(raw []byte, field protoreflect.FieldDescriptor) (text string, set bool) {
	for found, err := range passthrough.Fields(raw) {
		if err == nil && found.Number == field.Number() {
			text, set = plain(field.Kind(), found.Type, found.Value), true
		}
	}

	return text, set
}

func plain(kind protoreflect.Kind, encoded protowire.Type, value []byte) string {
	var n uint64

	switch encoded {
	case protowire.BytesType:
		text, _ := protowire.ConsumeBytes(value)

		return string(text)
	case protowire.VarintType:
		n, _ = protowire.ConsumeVarint(value)
	case protowire.Fixed32Type:
		narrow, _ := protowire.ConsumeFixed32(value)
		n = uint64(narrow)
	case protowire.Fixed64Type:
		n, _ = protowire.ConsumeFixed64(value)
	default:
	}

	// An int32 may be encoded as a whole varint of 64 bits.
	if kind == protoreflect.Int32Kind || kind == protoreflect.Uint32Kind || kind == protoreflect.Sint32Kind {
		n = uint64(uint32(n))
	}

	return string(binary.BigEndian.AppendUint64(nil, n))
}
