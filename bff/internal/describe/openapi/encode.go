package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Map is an object with its members in the order in which they were set.
type Map[V any] struct {
	keys   []string
	values map[string]V
}

// Get returns the value of a key.
func (m *Map[V]) Get(key string) (V, bool) {
	value, ok := m.values[key]

	return value, ok
}

// Set sets the value of a key. A new key comes last.
func (m *Map[V]) Set(key string, value V) {
	if m.values == nil {
		m.values = map[string]V{}
	}

	if _, known := m.values[key]; !known {
		m.keys = append(m.keys, key)
	}

	m.values[key] = value
}

// Keys are the keys in order.
func (m *Map[V]) Keys() []string { return slices.Clone(m.keys) }

// MarshalJSON implements json.Marshaler.
func (m *Map[V]) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer

	out.WriteByte('{')

	for i, key := range m.keys {
		if i > 0 {
			out.WriteByte(',')
		}

		name, err := marshal(key)
		if err != nil {
			return nil, err
		}

		value, err := marshal(m.values[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}

		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}

	out.WriteByte('}')

	return out.Bytes(), nil
}

// marshal is json.Marshal without escapes for HTML, which make texts harder to read.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer

	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)

	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}

	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// JSON is the document as indented JSON. The same document has the same bytes.
func (d *Document) JSON() ([]byte, error) {
	compact, err := marshal(d)
	if err != nil {
		return nil, err
	}

	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("indent: %w", err)
	}

	out.WriteByte('\n')

	return out.Bytes(), nil
}

// YAML is the document as YAML, with the members in the order of JSON.
func (d *Document) YAML() ([]byte, error) {
	text, err := marshal(d)
	if err != nil {
		return nil, err
	}

	// JSON is YAML; only the style has to change.
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, fmt.Errorf("read as YAML: %w", err)
	}

	block(&node)

	var out bytes.Buffer

	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)

	if err := encoder.Encode(&node); err != nil {
		return nil, fmt.Errorf("write as YAML: %w", err)
	}

	return out.Bytes(), nil
}

// block removes the style of JSON. Strings keep their quotes only where YAML needs them.
func block(node *yaml.Node) {
	switch {
	case node.Kind == yaml.MappingNode || node.Kind == yaml.SequenceNode:
		node.Style &^= yaml.FlowStyle
	case node.Kind == yaml.ScalarNode && node.Tag == "!!str":
		node.Style = 0
	}

	for _, child := range node.Content {
		block(child)
	}
}
