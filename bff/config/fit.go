package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// fitting finds what of a YAML document does not fit a type, and where each of its settings is. The decoder may have refused the
// document already; it says so in terms of Go.
type fitting struct {
	// file is the name of the document.
	file   string
	set    map[string]Origin
	faults []error
	// lost reports whether a mapping could not be read, with all that is in it.
	lost bool
}

// walk looks at the settings of a document. If lost, what fits could not be read for what does not, either.
func (f *fitting) walk(text []byte, t reflect.Type) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err == nil && len(document.Content) > 0 {
		f.value(document.Content[0], t, "")
	}
}

func (f *fitting) faultf(at *yaml.Node, path, format string, args ...any) {
	fault := &Fault{Path: path, Err: fmt.Errorf(format, args...)}
	f.faults = append(f.faults, &LocatedFault{Origin: f.origin(at), Path: path, Reason: fault.Err.Error(), err: fault})
}

func (f *fitting) origin(at *yaml.Node) Origin {
	return Origin{File: f.file, Line: at.Line, Column: at.Column}
}

// value checks a node against a type. Types of a configuration are finite, and the decoder refuses a node that refers to itself.
func (f *fitting) value(node *yaml.Node, t reflect.Type, path string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}

	switch kind := t.Kind(); {
	case isNull(node):
		f.null(t, path)
	case kind == reflect.Interface:
		f.anything(node, t, path)
	case kind == reflect.Struct, kind == reflect.Map:
		f.mapping(node, t, path)
	case kind == reflect.Slice:
		f.sequence(node, t, path)
	case node.Kind != yaml.ScalarNode:
		f.faultf(node, path, "must be %s", hint.TypeName(t))
	case node.Decode(reflect.New(t).Interface()) != nil, isCut(node, t):
		f.scalar(node, t, path)
	}
}

// anything looks at a value of any type.
func (f *fitting) anything(node *yaml.Node, t reflect.Type, path string) {
	switch node.Kind {
	case yaml.MappingNode:
		f.mapping(node, reflect.MapOf(reflect.TypeFor[string](), t), path)
	case yaml.SequenceNode:
		f.sequence(node, reflect.SliceOf(t), path)
	default:
	}
}

// null takes a setting without a value as one that is not set. What is in others belongs to them, even if that is nothing.
func (f *fitting) null(t reflect.Type, path string) {
	if kind := t.Kind(); kind != reflect.Struct && kind != reflect.Map {
		delete(f.set, path)
	}
}

// isCut reports whether the decoder cuts off what makes a number no whole one.
func isCut(node *yaml.Node, t reflect.Type) bool {
	zero := reflect.Zero(t)

	return node.Tag == "!!float" && (zero.CanInt() || zero.CanUint())
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
		at := fmt.Sprintf("%s[%d]", path, i)
		f.set[at] = f.origin(element)
		f.value(element, t.Elem(), at)
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

		if key.Tag == "!!merge" {
			defer f.merge(value, t, path) // What is in the mapping itself takes precedence.

			continue
		}

		first, twice := lines[key.Value]
		lines[key.Value] = key.Line

		if at := join(path, key.Value); twice {
			f.lost = true
			f.faultf(key, at, "is set more than once, first in line %d", first)
		} else {
			f.entry(key, value, t, at)
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}

	return path + "." + name
}

// merge looks at the mappings that are merged into one ("<<"). The first takes precedence.
func (f *fitting) merge(node *yaml.Node, t reflect.Type, path string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}

	if node.Kind == yaml.SequenceNode {
		for _, element := range node.Content {
			f.merge(element, t, path)
		}

		return
	}

	for i := 0; i+1 < len(node.Content) && node.Kind == yaml.MappingNode; i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := join(path, key.Value)

		if _, set := f.set[at]; key.Tag == "!!merge" {
			defer f.merge(value, t, path)
		} else if !set {
			f.entry(key, value, t, at)
		}
	}
}

// entry checks an entry of a mapping.
func (f *fitting) entry(key, value *yaml.Node, t reflect.Type, path string) {
	f.set[path] = f.origin(value)
	if value.Kind != yaml.ScalarNode && value.Kind != yaml.AliasNode && value.Style&yaml.FlowStyle == 0 {
		f.set[path] = f.origin(key) // A block has no beginning of its own.
	}

	if t.Kind() == reflect.Map {
		f.value(value, t.Elem(), path)
	} else {
		f.field(key, value, t, path)
	}
}

func (f *fitting) field(key, value *yaml.Node, t reflect.Type, path string) {
	var names []string

	for field := range t.Fields() {
		if !field.IsExported() {
			continue
		}

		name := keyOf(field)
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
