package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Changes lists the settings that differ between two configurations, by their paths as in YAML ("limits.client.requests",
// "auth.issuers[0].audiences"), in the order of Config. It has no values, which may be secret. A list of another length is one
// change.
func Changes(before, after Config) []string {
	return changes("", reflect.ValueOf(before), reflect.ValueOf(after))
}

func changes(path string, before, after reflect.Value) []string {
	if reflect.DeepEqual(before.Interface(), after.Interface()) {
		return nil
	}

	switch before.Kind() {
	case reflect.Struct:
		return structChanges(path, before, after)
	case reflect.Map:
		if before.Type().Elem().Kind() == reflect.Struct {
			return mapChanges(path, before, after)
		}
	case reflect.Slice:
		if before.Len() == after.Len() && before.Type().Elem().Kind() == reflect.Struct {
			return sliceChanges(path, before, after)
		}
	default:
	}

	return []string{path}
}

func structChanges(path string, before, after reflect.Value) []string {
	var found []string

	for field, value := range before.Fields() {
		if !field.IsExported() {
			continue
		}

		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			name = field.Name
		}

		if path != "" {
			name = path + "." + name
		}

		found = append(found, changes(name, value, after.FieldByIndex(field.Index))...)
	}

	return found
}

func mapChanges(path string, before, after reflect.Value) []string {
	names := map[string]bool{}
	for _, key := range slices.Concat(before.MapKeys(), after.MapKeys()) {
		names[key.String()] = true
	}

	var found []string

	for _, name := range slices.Sorted(maps.Keys(names)) {
		key := reflect.ValueOf(name)
		was, is := before.MapIndex(key), after.MapIndex(key)

		if !was.IsValid() || !is.IsValid() {
			found = append(found, path+"."+name)
			continue
		}

		found = append(found, changes(path+"."+name, was, is)...)
	}

	return found
}

func sliceChanges(path string, before, after reflect.Value) []string {
	found := make([]string, 0, before.Len())

	for i := range before.Len() {
		found = append(found, changes(fmt.Sprintf("%s[%d]", path, i), before.Index(i), after.Index(i))...)
	}

	return found
}
