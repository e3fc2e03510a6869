package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// document writes a configuration as YAML nodes, with every setting, in the order of the types and, in maps, of the names.
type document struct {
	// text returns the text to write for one that has a secret, by the tag of its field. Nil: the text itself.
	text func(text, secret string) string
	// setting is called for each setting that has a value of its own: what is no mapping, and no list of mappings.
	setting func(path string, value *yaml.Node)
}

func (d document) node(value reflect.Value, path, secret string) *yaml.Node {
	switch t := value.Type(); {
	case t.Kind() == reflect.Struct:
		return d.fields(value, path)
	case t.Kind() == reflect.Map && t.Elem().Kind() != reflect.Interface:
		return d.entries(value, path, secret)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return d.elements(value, path)
	default:
		scalar := d.plain(value, secret)
		d.setting(path, scalar)

		return scalar
	}
}

func (d document) fields(settings reflect.Value, path string) *yaml.Node {
	mapping := &yaml.Node{Kind: yaml.MappingNode}

	for field, value := range settings.Fields() {
		if !field.IsExported() {
			continue
		}

		name := textNode(keyOf(field))
		inner := d.node(value, join(path, name.Value), field.Tag.Get("secret"))

		// In front of a block, not behind it.
		if inner.Kind == yaml.MappingNode {
			name.HeadComment, inner.LineComment = inner.LineComment, ""
		}

		mapping.Content = append(mapping.Content, name, inner)
	}

	return mapping
}

func (d document) entries(entries reflect.Value, path, secret string) *yaml.Node {
	mapping := &yaml.Node{Kind: yaml.MappingNode}

	names := make([]string, 0, entries.Len())
	for _, name := range entries.MapKeys() {
		names = append(names, name.String())
	}

	slices.Sort(names)

	for _, name := range names {
		value := d.node(entries.MapIndex(reflect.ValueOf(name)), join(path, name), secret)
		mapping.Content = append(mapping.Content, textNode(name), value)
	}

	return mapping
}

func (d document) elements(list reflect.Value, path string) *yaml.Node {
	sequence := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range list.Len() {
		sequence.Content = append(sequence.Content, d.node(list.Index(i), fmt.Sprintf("%s[%d]", path, i), ""))
	}

	return sequence
}

// plain is a value that is written as it is.
func (d document) plain(value reflect.Value, secret string) *yaml.Node {
	switch plain := value.Interface().(type) {
	case time.Duration:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: durationText(plain)}
	case string:
		return d.textNode(plain, secret)
	case []string:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, text := range plain {
			list.Content = append(list.Content, d.textNode(text, secret))
		}

		return list
	case map[string]any:
		return encoded(maps.Collect(maps.All(plain))) // An empty one if it is nil.
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(plain)}
	}
}

func (d document) textNode(text, secret string) *yaml.Node {
	if secret != "" && d.text != nil {
		text = d.text(text, secret)
	}

	return textNode(text)
}

// plainText matches texts that need no quotation marks in any version of YAML, but for some words.
var plainText = regexp.MustCompile(`^(?:[a-z]+[_./][a-z_./]+|[a-z]{4}[a-z_]+|/[a-zA-Z0-9_./-]+)$`)

// textNode is a text. Most need not trouble the encoder, which takes much memory for each.
func textNode(text string) *yaml.Node {
	if plainText.MatchString(text) && text != "false" {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	}

	return encoded(text)
}

// encoded writes a value as the encoder does.
func encoded(value any) *yaml.Node {
	node := &yaml.Node{}
	if err := node.Encode(value); err != nil {
		// What a program has put into a policy.
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: fmt.Sprint(value)}
	}

	return node
}
