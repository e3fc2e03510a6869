package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// fittingVariables leaves out the variables whose values do not fit their settings, with an error for each.
func fittingVariables(environ map[string]string) (map[string]string, error) {
	var faults []error

	fitting := maps.Clone(environ)

	upstreams := upstreamNames(environ)

	for _, name := range slices.Sorted(maps.Keys(environ)) {
		rest, ours := strings.CutPrefix(name, EnvPrefix)
		if !ours || environ[name] == "" {
			continue
		}

		t, known := variable(reflect.TypeFor[Config](), rest)

		for _, upstream := range upstreams {
			if field, ok := strings.CutPrefix(name, upstreamPrefix+strings.ToUpper(upstream)+"_"); ok && !known {
				t, known = variable(reflect.TypeFor[Upstream](), field)
			}
		}

		// A list has elements of text.
		if known && t.Kind() != reflect.Slice && !hint.IsValue(t, environ[name]) {
			faults = append(faults, fmt.Errorf("environment: %s: %w", name, hint.ValueError(t, environ[name])))
			delete(fitting, name)
		}
	}

	return fitting, errors.Join(faults...)
}

// variable returns the type of the setting that a variable is for, by its name without a prefix.
func variable(t reflect.Type, name string) (reflect.Type, bool) {
	for field := range t.Fields() {
		if tag := field.Tag.Get("env"); tag == name && tag != "-" {
			return field.Type, true
		}

		prefix := field.Tag.Get("envPrefix")

		rest, ok := strings.CutPrefix(name, prefix)
		if prefix == "" || !ok {
			continue
		}

		inner := field.Type
		if inner.Kind() == reflect.Slice {
			// The index of the element.
			inner, rest = inner.Elem(), strings.TrimLeft(rest, "0123456789")
			rest = strings.TrimPrefix(rest, "_")
		}

		if found, ok := variable(inner, rest); ok {
			return found, true
		}
	}

	return nil, false
}
