package conformance

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// candidates makes values of schemas: the usual one first, then one with all there can be, then those at the limits.
type candidates struct {
	loader *loader
	random *rand.Rand
	known  map[string][]any
}

// Types of JSON Schema that several files name.
const (
	typeString  = "string"
	typeInteger = "integer"
	typeArray   = "array"
)

// Bounds of what is made.
const (
	// deepest is how many objects and lists stand within each other. Deeper than that there is only what has to be.
	deepest = 4
	// mostCandidates is for one schema.
	mostCandidates = 300
	// mostElements is for lists, whose limits may be beyond reason.
	mostElements = 1000
)

func newCandidates(l *loader, seed uint64) *candidates {
	return &candidates{loader: l, random: random(seed, 0), known: map[string][]any{}}
}

// valid are values that the schema allows.
func (c *candidates) valid(s *jsonSchema) []any {
	return slices.DeleteFunc(slices.Clone(c.of(map[string]any{"$ref": "#" + s.where}, 0)), func(value any) bool {
		return validate(s, plainValue(value)) != nil
	})
}

// plainValue is a value as it is read again, which json.Number in it is already.
func plainValue(value any) any {
	read, err := parse(encode(value))
	if err != nil {
		panic(err)
	}

	return read
}

// of are values that the schema may allow.
func (c *candidates) of(s map[string]any, depth int) []any {
	ref, refers := s["$ref"].(string)
	if !refers {
		return c.shaped(s, depth)
	}

	key := fmt.Sprint(ref, " ", depth)
	if known, ok := c.known[key]; ok {
		return known
	}

	c.known[key] = nil // Of what holds itself there is no end.

	target, _, err := c.loader.at(strings.TrimPrefix(ref, "#"))
	if err != nil {
		panic(err) // It was compiled.
	}

	c.known[key] = c.of(target, depth)

	return c.known[key]
}

// shaped are values of a schema without a reference.
func (c *candidates) shaped(s map[string]any, depth int) []any {
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		branches, ok := s[keyword].([]any)
		if !ok {
			continue
		}

		var out []any

		rest := maps.Clone(s)
		delete(rest, keyword)

		if keyword == "allOf" {
			return c.of(c.merged(rest, branches...), depth)
		}

		for _, branch := range branches {
			one := c.merged(rest, branch)
			if keyword == "oneOf" {
				one["properties"] = withoutOthers(one, branches)
			}

			out = append(out, c.of(one, depth)...)
		}

		return out
	}

	if value, ok := s["const"]; ok {
		return []any{value}
	}

	if values, ok := s["enum"].([]any); ok {
		return values
	}

	var out []any
	for _, name := range types(s) {
		out = append(out, c.typed(name, s, depth)...)
	}

	return c.some(out)
}

// withoutOthers are the properties of a schema but for those that only other branches require: two members of a oneof.
func withoutOthers(one map[string]any, branches []any) map[string]any {
	properties, own := maps.Clone(object(one["properties"])), names(one["required"])

	for _, branch := range branches {
		for _, name := range names(object(branch)["required"]) {
			if !slices.Contains(own, name) {
				delete(properties, name)
			}
		}
	}

	return properties
}

// merged is a schema with the keywords of others.
func (c *candidates) merged(s map[string]any, others ...any) map[string]any {
	out := maps.Clone(s)

	for _, other := range others {
		keywords := map[string]any{}
		maps.Copy(keywords, object(other))

		if ref, ok := keywords["$ref"].(string); ok {
			target, _, err := c.loader.at(strings.TrimPrefix(ref, "#"))
			if err != nil {
				panic(err) // It was compiled.
			}

			keywords = maps.Clone(target)
		}

		if required := slices.Concat(listOf(out["required"]), listOf(keywords["required"])); required != nil {
			keywords["required"] = required
		}

		if properties := object(keywords["properties"]); properties != nil {
			both := map[string]any{}
			maps.Copy(both, object(out["properties"]))

			for name, property := range properties {
				both[name] = c.merged(object(property), both[name])
			}

			keywords["properties"] = both
		}

		maps.Copy(out, keywords)
	}

	return out
}

// listOf is a value as a list; nil if it is none.
func listOf(v any) []any {
	list, _ := v.([]any)

	return list
}

// types are those that a value can be of.
func types(s map[string]any) []string {
	switch v := s["type"].(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, name := range v {
			out = append(out, fmt.Sprint(name))
		}

		return out
	default:
		return []string{typeString, typeInteger, "boolean", "null", typeArray, "object"}
	}
}

func (c *candidates) typed(name string, s map[string]any, depth int) []any {
	switch name {
	case "null":
		return []any{nil}
	case "boolean":
		return []any{true, false}
	case typeInteger, "number":
		return numbers(s, name == typeInteger)
	case typeArray:
		return c.lists(s, depth)
	case "object":
		return c.objects(s, depth)
	default:
		return texts(s)
	}
}

// some takes some of the values if they are too many: the first ones always.
func (c *candidates) some(values []any) []any {
	if len(values) <= mostCandidates {
		return values
	}

	const first = 2

	rest := slices.Clone(values[first:])
	c.random.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })

	return append(slices.Clone(values[:first]), rest[:mostCandidates-first]...)
}

func (c *candidates) lists(s map[string]any, depth int) []any {
	const some = 2

	least, most := count(s, "minItems", 0), count(s, "maxItems", some)

	var items []any
	if depth < deepest {
		items = c.of(object(s["items"]), depth+1)
	}

	if len(items) == 0 {
		return []any{[]any{}}
	}

	unique, _ := s["uniqueItems"].(bool)
	out := []any{cycled(items, max(least, min(1, most)), unique)}

	for _, n := range []int{least, most} {
		if n <= mostElements && (!unique || n <= len(items)) {
			out = append(out, cycled(items, n, unique))
		}
	}

	for _, item := range items {
		list := cycled(items, max(least, 1), unique)
		if list[0] = item; !unique || len(list) == 1 {
			out = append(out, list)
		}
	}

	return out
}

// cycled is a list of n elements: the usual one over and over, or all different.
func cycled(items []any, n int, unique bool) []any {
	out := make([]any, n)
	for i := range out {
		if unique {
			out[i] = items[i%len(items)]
		} else {
			out[i] = items[0]
		}
	}

	return out
}

// count is a keyword that is a number of things.
func count(s map[string]any, name string, fallback int) int {
	if number, ok := s[name]; ok {
		return int(toFloat(number))
	}

	return fallback
}
