package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// fitting finds what of a YAML document does not fit a type, by line and column. The decoder has refused the document already; it
// says so in terms of Go.
type fitting struct {
	// file is the name of the document.
	file   string
	faults []error
	// lost reports whether a mapping could not be read, with all that is in it.
	lost bool
}

// misfits returns everything that does not fit. Lost reports whether what fits could not be read for it, either.
func misfits(file string, text []byte, t reflect.Type) (faults []error, lost bool) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil || len(document.Content) == 0 {
		return nil, false
	}

	f := &fitting{file: file}
	f.value(document.Content[0], t, "")

	return f.faults, f.lost
}

func (f *fitting) faultf(at *yaml.Node, path, format string, args ...any) {
	if path != "" {
		path += ": "
	}

	f.faults = append(f.faults, fmt.Errorf("%s:%d:%d: %s%w", f.file, at.Line, at.Column, path, fmt.Errorf(format, args...)))
}

// value checks a node against a type. Types of a configuration are finite, and the decoder refuses a node that refers to itself.
func (f *fitting) value(node *yaml.Node, t reflect.Type, path string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}

	switch kind := t.Kind(); {
	case kind == reflect.Interface, isNull(node):
	case kind == reflect.Struct, kind == reflect.Map:
		f.mapping(node, t, path)
	case kind == reflect.Slice:
		f.sequence(node, t, path)
	case node.Kind != yaml.ScalarNode:
		f.faultf(node, path, "must be %s", hint.TypeName(t))
	case node.Decode(reflect.New(t).Interface()) != nil:
		f.scalar(node, t, path)
	}
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

func (f *fitting) scalar(node *yaml.Node, t reflect.Type, path string) {
	if hint.IsValue(t, node.Value) && node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		f.faultf(node, path, "%q must be written without quotation marks, as %s", node.Value, hint.TypeName(t))

		return
	}

	f.faultf(node, path, "%w", hint.ValueError(t, node.Value))
}

func (f *fitting) sequence(node *yaml.Node, t reflect.Type, path string) {
	if node.Kind != yaml.SequenceNode {
		f.faultf(node, path, "must be a list, such as [a, b]")

		return
	}

	for i, element := range node.Content {
		f.value(element, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
	}
}

// mapping checks the keys and values of a mapping against the fields of a struct, or the elements of a map.
func (f *fitting) mapping(node *yaml.Node, t reflect.Type, path string) {
	if node.Kind != yaml.MappingNode {
		f.lost = true
		f.faultf(node, path, "must be %s", hint.TypeName(t))

		return
	}

	lines := map[string]int{}

	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]

		at := key.Value
		if path != "" {
			at = path + "." + key.Value
		}

		first, twice := lines[key.Value]
		lines[key.Value] = key.Line

		switch {
		case key.Tag == "!!merge":
		case twice:
			f.lost = true
			f.faultf(key, at, "is set more than once, first in line %d", first)
		case t.Kind() == reflect.Map:
			f.value(value, t.Elem(), at)
		default:
			f.field(key, value, t, at)
		}
	}
}

func (f *fitting) field(key, value *yaml.Node, t reflect.Type, path string) {
	var names []string

	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if name == key.Value {
			f.value(value, field.Type, path)

			return
		}

		names = append(names, name)
	}

	meant := hint.DidYouMean(key.Value, names)
	if meant == "" {
		slices.Sort(names)
		meant = "; there are " + strings.Join(names, ", ")
	}

	f.faultf(key, path, "there is no such setting%s", meant)
}
