package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// variable is the setting that an environment variable is for.
type variable struct {
	// name is the name of the variable, value its value.
	name, value string
	// path is the setting as in the file.
	path string
	// steps lead to the setting.
	steps []step
	// indexes are those of the lists among the steps.
	indexes []int
	// kind is the type of the setting.
	kind reflect.Type
}

// step leads to a field of a struct or an element of a list, by its index, or to an entry of a map.
type step struct {
	index int
	entry string
}

func (v variable) field(i int, field reflect.StructField) variable {
	v.steps, v.path, v.kind = append(slices.Clone(v.steps), step{index: i}), join(v.path, keyOf(field)), field.Type

	return v
}

func (v variable) element(i int) variable {
	v.steps, v.path, v.kind = append(slices.Clone(v.steps), step{index: i}), fmt.Sprintf("%s[%d]", v.path, i), v.kind.Elem()
	v.indexes = append(slices.Clone(v.indexes), i)

	return v
}

func (v variable) entry(name string) variable {
	v.steps, v.path, v.kind = append(slices.Clone(v.steps), step{entry: name}), join(v.path, name), v.kind.Elem()

	return v
}

// keyOf is the name of a field in the file.
func keyOf(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")

	return name
}

// names finds what environment variables are for.
type names struct {
	// upstreams are those of the file. Their variables have their names in capitals, with "_" for what is no letter and no digit.
	upstreams []string
}

// find returns the setting of a variable. rest is its name without the part that led to v.
func (n names) find(v variable, rest string) (variable, bool) {
	i := 0

	for field := range v.kind.Fields() {
		inner := v.field(i, field)
		i++

		if field.Tag.Get("env") == rest && rest != "" && rest != "-" {
			return inner, true
		}

		prefix := field.Tag.Get("envPrefix")
		if below, ok := strings.CutPrefix(rest, prefix); ok && prefix != "" {
			if found, ok := n.within(inner, below); ok {
				return found, true
			}
		}
	}

	return variable{}, false
}

// within is find for what has a prefix: a struct, a list or a map of them.
func (n names) within(v variable, rest string) (variable, bool) {
	switch v.kind.Kind() {
	case reflect.Slice:
		digits, below, ok := strings.Cut(rest, "_")

		i, err := strconv.Atoi(digits)
		if !ok || err != nil || strconv.Itoa(i) != digits || i < 0 {
			return variable{}, false
		}

		return n.find(v.element(i), below)
	case reflect.Map:
		for _, name := range n.candidates(rest) {
			if found, ok := n.find(v.entry(name), rest[len(name)+1:]); ok {
				return found, true
			}
		}

		return variable{}, false
	default:
		return n.find(v, rest)
	}
}

// candidates are the upstreams that a variable may be for: those of the file, the longest first, and any with a name before a "_".
func (n names) candidates(rest string) []string {
	var found []string

	for _, name := range n.upstreams {
		if strings.HasPrefix(rest, inCapitals(name)+"_") {
			found = append(found, name)
		}
	}

	slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(b, a)) })

	for i, letter := range rest {
		if name := strings.ToLower(rest[:i]); letter == '_' && name != "" && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}

	return found
}

// inCapitals is an upstream's name as in variables, of the same length.
func inCapitals(name string) string {
	letters := []byte(name)

	for i, c := range letters {
		switch {
		case c >= 'a' && c <= 'z':
			letters[i] = c - 'a' + 'A'
		case (c < 'A' || c > 'Z') && (c < '0' || c > '9'):
			letters[i] = '_'
		}
	}

	return string(letters)
}
