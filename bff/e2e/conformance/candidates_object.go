package conformance

import (
	"fmt"
	"maps"
	"slices"
)

// objects are values of an object's schema.
func (c *candidates) objects(s map[string]any, depth int) []any {
	properties := object(s["properties"])
	least := map[string]any{}

	for _, name := range names(s["required"]) {
		values := c.of(object(properties[name]), depth+1)
		if len(values) == 0 {
			return nil
		}

		least[name] = values[0]
	}

	out := []any{least}
	if depth >= deepest {
		return out
	}

	full := maps.Clone(least)

	var others []any

	for _, name := range slices.Sorted(maps.Keys(properties)) {
		values := c.of(object(properties[name]), depth+1)

		for i, value := range values {
			with := maps.Clone(least)
			with[name] = value
			others = append(others, with)

			if _, there := full[name]; i == 0 && !there && !contends(s, full, name) {
				full[name] = value
			}
		}
	}

	return slices.Concat(out, []any{full}, c.entries(s, least, depth), others)
}

// entries are objects with members that have no names of their own.
func (c *candidates) entries(s, least map[string]any, depth int) []any {
	values := c.further(s, depth)
	if len(values) == 0 {
		return nil
	}

	keys := []any{"key", "ключ", "", "a.b", "[x]"}
	if rules := object(s["propertyNames"]); rules != nil {
		keys = c.of(c.merged(map[string]any{"type": typeString}, rules), depth+1)
	}

	needed := max(count(s, "minProperties", 0)-len(least), 1)
	if len(keys) < needed {
		return nil
	}

	var out []any

	add := func(key, value any) {
		with := maps.Clone(least)
		for _, other := range keys[1:needed] {
			with[fmt.Sprint(other)] = values[0]
		}

		with[fmt.Sprint(key)] = value
		out = append(out, with)
	}

	for _, key := range keys {
		add(key, values[0])
	}

	for _, value := range values[1:] {
		add(keys[0], value)
	}

	return out
}

// further are values of members that have no names of their own.
func (c *candidates) further(s map[string]any, depth int) []any {
	switch more := s["additionalProperties"].(type) {
	case map[string]any:
		return c.of(more, depth+1)
	case bool:
		if !more {
			return nil
		}
	}

	return []any{"x", 1, nil, map[string]any{"a": []any{}}}
}

// contends reports whether the schema refuses a member beside those that are there: two of a oneof.
func contends(s, there map[string]any, name string) bool {
	not := object(s["not"])

	pairs, _ := not["anyOf"].([]any)
	if pairs == nil {
		pairs = []any{not}
	}

	for _, pair := range pairs {
		both := names(object(pair)["required"])
		if !slices.Contains(both, name) {
			continue
		}

		if !slices.ContainsFunc(both, func(other string) bool { _, taken := there[other]; return other != name && !taken }) {
			return true
		}
	}

	return false
}

func names(list any) []string {
	values, _ := list.([]any)
	out := make([]string, 0, len(values))

	for _, value := range values {
		out = append(out, fmt.Sprint(value))
	}

	return out
}
