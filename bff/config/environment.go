package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// EnvPrefix starts the names of all environment variables: server.address is PORTICO_SERVER_ADDRESS, the first issuer's JWKS file
// PORTICO_AUTH_ISSUERS_0_JWKS_FILE, the addresses of the upstream user-eu PORTICO_UPSTREAMS_USER_EU_ADDRESSES. Lists of texts are
// separated by commas. A variable that is empty is one that is not set.
const EnvPrefix = "PORTICO_"

// devPrefix starts the names of those that are flags of `portico dev`, and no settings.
const devPrefix = EnvPrefix + "DEV_"

// environment lays environment variables over a configuration.
type environment struct {
	c      *Config
	faults []error
}

// overlay lays the environment over a configuration, as far as its variables have settings and fit them. The error names each of
// the others.
func overlay(c *Config, environ []string) error {
	known := names{upstreams: slices.Collect(maps.Keys(c.Upstreams))}

	var (
		e     = environment{c: c}
		found []variable
	)

	for name, value := range ours(environ) {
		rest := strings.TrimPrefix(name, EnvPrefix)
		v, ok := known.find(variable{name: name, value: value, kind: reflect.TypeFor[Config]()}, rest)

		switch {
		case ok:
			found = append(found, v)
		case !isServiceVariable(name, value):
			e.fault(variable{name: name}, known.unknown(rest))
		}
	}

	// Elements that are new come one after the other.
	slices.SortFunc(found, func(a, b variable) int {
		if byIndex := slices.Compare(a.indexes, b.indexes); byIndex != 0 {
			return byIndex
		}

		return strings.Compare(a.name, b.name)
	})

	for _, v := range found {
		e.take(v)
	}

	return errors.Join(e.faults...)
}

// ours returns the variables that may be for settings, and are not empty. Of several with the same name the last counts.
func ours(environ []string) map[string]string {
	variables := map[string]string{}

	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, EnvPrefix) && !strings.HasPrefix(name, devPrefix) {
			variables[name] = value
		}
	}

	maps.DeleteFunc(variables, func(_, value string) bool { return value == "" })

	return variables
}

func (e *environment) fault(v variable, err error) {
	located := &LocatedFault{Origin: Origin{Variable: v.name}, Path: v.path, Reason: err.Error(), err: err}
	e.faults = append(e.faults, located)
}

// take sets the setting of a variable.
func (e *environment) take(v variable) {
	if err := assign(reflect.ValueOf(e.c).Elem(), v.steps, v.value); err != nil {
		e.fault(v, err)

		return
	}

	// A list or a mapping that is set as a whole has no parts of the file.
	maps.DeleteFunc(e.c.origins.set, func(path string, _ Origin) bool {
		return strings.HasPrefix(path, v.path+"[") || strings.HasPrefix(path, v.path+".")
	})

	e.c.origins.set[v.path] = Origin{Variable: v.name}

	for path := range e.c.values() {
		if strings.HasPrefix(path, v.path+".") {
			e.c.origins.set[path] = Origin{Variable: v.name}
		}
	}

	for path := enclosing(v.path); path != ""; path = enclosing(path) {
		if _, set := e.c.origins.set[path]; !set {
			e.c.origins.set[path] = Origin{Variable: v.name}
		}
	}
}

// assign sets the setting to which the steps lead. Entries of maps and elements at the ends of lists are made.
func assign(setting reflect.Value, steps []step, text string) error {
	if len(steps) == 0 {
		return store(setting, text)
	}

	switch first := steps[0]; setting.Kind() {
	case reflect.Map:
		return assignEntry(setting, first.entry, steps[1:], text)
	case reflect.Slice:
		return assignElement(setting, first.index, steps[1:], text)
	default:
		return assign(setting.Field(first.index), steps[1:], text)
	}
}

// assignEntry is assign for an entry of a map.
func assignEntry(entries reflect.Value, name string, steps []step, text string) error {
	key, entry := reflect.ValueOf(name), reflect.New(entries.Type().Elem()).Elem()
	if old := entries.MapIndex(key); old.IsValid() {
		entry.Set(old)
	}

	if err := assign(entry, steps, text); err != nil {
		return err
	}

	if entries.IsNil() {
		entries.Set(reflect.MakeMap(entries.Type()))
	}

	entries.SetMapIndex(key, entry)

	return nil
}

// assignElement is assign for an element of a list.
func assignElement(list reflect.Value, i int, steps []step, text string) error {
	element := reflect.New(list.Type().Elem()).Elem()

	switch {
	case i > list.Len():
		return fmt.Errorf("leaves a gap: the next element of the list has the index %d", list.Len())
	case i < list.Len():
		element.Set(list.Index(i))
	}

	if err := assign(element, steps, text); err != nil {
		return err
	}

	if i == list.Len() {
		list.Set(reflect.Append(list, element))
	} else {
		list.Index(i).Set(element)
	}

	return nil
}
