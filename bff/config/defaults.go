package config

import (
	"cmp"
	"fmt"
	"reflect"
	"runtime"
)

// inFlightPerCPU requests need 100 to 200 ms of a CPU, and with responses of 10 KB some 50 MB.
const inFlightPerCPU = 1000

// WithDefaults returns the configuration with every zero value replaced by its documented default, unless it was set to zero in the
// file or the environment.
func (c Config) WithDefaults() Config {
	set := func(path string) bool {
		_, ok := c.origins.Lookup(path)

		return ok
	}

	burst := max(c.Limits.Client.Requests, 1)
	if c.Limits.Client.Requests == 0 && !set("limits.client.requests") {
		c.Limits.Client.Requests, burst = 1000, 2000
	}

	if !set("limits.client.burst") {
		c.Limits.Client.Burst = cmp.Or(c.Limits.Client.Burst, burst)
	}

	if c.Server.TLS.ClientCAFile != "" {
		c.Server.TLS.ClientAuth = cmp.Or(c.Server.TLS.ClientAuth, ClientAuthOptional)
	}

	fill(reflect.ValueOf(&c).Elem(), "", set)

	if c.Upstreams == nil {
		c.Upstreams = map[string]Upstream{}
	}

	for name, upstream := range c.Upstreams {
		if !set("upstreams." + name + ".concurrency.initial") {
			c.Upstreams[name] = upstream.withInitial()
		}
	}

	if !set("overload.max_in_flight") {
		c.Overload.MaxInFlight = cmp.Or(c.Overload.MaxInFlight, inFlightPerCPU*runtime.GOMAXPROCS(0))
	}

	return c
}

// fill fills in the defaults that the tags of the fields name, also in lists and maps, which it copies. What was set keeps its
// value.
func fill(settings reflect.Value, path string, set func(path string) bool) {
	for field, value := range settings.Fields() {
		if !field.IsExported() {
			continue
		}

		at := join(path, keyOf(field))

		if text := field.Tag.Get("default"); text != "" && value.IsZero() && !set(at) {
			if err := store(value, text); err != nil {
				panic(fmt.Sprintf("default of %s: %v", at, err)) // The tags are constants.
			}
		}

		switch t := value.Type(); {
		case t.Kind() == reflect.Struct:
			fill(value, at, set)
		case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
			fillElements(value, at, set)
		case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
			fillEntries(value, at, set)
		}
	}
}

func fillElements(list reflect.Value, path string, set func(path string) bool) {
	if list.IsNil() {
		return
	}

	filled := reflect.MakeSlice(list.Type(), list.Len(), list.Len())
	reflect.Copy(filled, list)

	for i := range filled.Len() {
		fill(filled.Index(i), fmt.Sprintf("%s[%d]", path, i), set)
	}

	list.Set(filled)
}

func fillEntries(entries reflect.Value, path string, set func(path string) bool) {
	if entries.IsNil() {
		return
	}

	filled := reflect.MakeMapWithSize(entries.Type(), entries.Len())

	for name, value := range entries.Seq2() {
		entry := reflect.New(value.Type()).Elem()
		entry.Set(value)
		fill(entry, join(path, name.String()), set)
		filled.SetMapIndex(name, entry)
	}

	entries.Set(filled)
}

// filled returns settings with the defaults that the tags of their fields name.
func filled[T any](settings T) T {
	fill(reflect.ValueOf(&settings).Elem(), "", func(string) bool { return false })

	return settings
}

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (j JSON) WithDefaults() JSON { return filled(j) }

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (r Redis) WithDefaults() Redis { return filled(r) }

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (b Breaker) WithDefaults() Breaker { return filled(b) }

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (a Auth) WithDefaults() Auth { return filled(a) }

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (u Upstream) WithDefaults() Upstream { return filled(u).withInitial() }

// withInitial sets where the limit on concurrent calls begins, from its bounds.
func (u Upstream) withInitial() Upstream {
	u.Concurrency.Initial = cmp.Or(u.Concurrency.Initial, min(max(200, u.Concurrency.Min), u.Concurrency.Max))

	return u
}
