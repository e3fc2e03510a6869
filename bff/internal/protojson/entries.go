package protojson

import (
	"reflect"
	"slices"
)

// entries reads an object as the entries of a map.
func (d *decoder) entries(f *field, s slot) *Error {
	more, err := d.enter('{')
	seen := keySet{first: len(d.keys)}

	var texts map[string]string
	if s.place != nil && more {
		texts = map[string]string{}
		s.value.Set(reflect.ValueOf(texts))
	}

	for more && err == nil {
		var name []byte
		if name, err = d.name(); err != nil {
			return err
		}

		if texts != nil {
			err = d.textEntry(f, name, texts)
		} else {
			err = d.entry(f, name, &seen)
		}

		if err == nil {
			more, err = d.more('}')
		}
	}

	clear(d.keys[seen.first:])
	d.keys = d.keys[:seen.first]

	return err
}

// entry reads the value of an entry.
func (d *decoder) entry(f *field, name []byte, seen *keySet) *Error {
	// The key is in the map, and in the set of keys.
	const copies = 2
	if err := d.spend(f.elementCost + copies*int64(len(name))); err != nil {
		return err
	}

	k, ok := f.key.parseKey(name)
	if !ok {
		return wrongKey(f.key.desc.Kind(), string(name))
	}

	if d.hasKey(seen, k) {
		return faultf("is set more than once").key(string(name))
	}

	before := len(d.out)
	start := d.open(f.tag)
	d.put(f.key, k)

	ok, err := d.element(f.value, slot{})
	if err != nil {
		return err.key(string(name))
	}

	if !ok {
		d.out = d.out[:before]
		return nil
	}

	d.close(start)
	d.addKey(seen, k)

	return nil
}

// textEntry reads the value of an entry of a map[string]string.
func (d *decoder) textEntry(f *field, name []byte, to map[string]string) *Error {
	if err := d.spend(f.elementCost - entryCost); err != nil {
		return err
	}

	if err := d.spendText(len(name)); err != nil {
		return err
	}

	key := d.string(name)
	if _, known := to[key]; known {
		return faultf("is set more than once").key(key)
	}

	v, _, err := d.read(f.value)
	if err != nil {
		return err.key(key)
	}

	to[key] = d.string(v.text)

	return nil
}

// keySet is the keys of one map: those of decoder.keys from first on or, if there are many, of a Go map.
type keySet struct {
	first int
	many  map[comparableKey]bool
}

type comparableKey struct {
	text string
	bits uint64
}

// hasKey reports whether a key was added before.
func (d *decoder) hasKey(s *keySet, k scalar) bool {
	if s.many != nil {
		return s.many[comparableKey{string(k.text), k.bits}]
	}

	return slices.ContainsFunc(d.keys[s.first:], func(other scalar) bool {
		return other.bits == k.bits && string(other.text) == string(k.text)
	})
}

// addKey adds a key that is not there.
func (d *decoder) addKey(s *keySet, k scalar) {
	if s.many != nil {
		s.many[comparableKey{string(k.text), k.bits}] = true
		return
	}

	d.keys = append(d.keys, k)

	// As long as there are few keys, comparing with all is faster than a map.
	const few = 16
	if len(d.keys)-s.first > few {
		s.many = map[comparableKey]bool{}
		for _, k := range d.keys[s.first:] {
			s.many[comparableKey{string(k.text), k.bits}] = true
		}
	}
}
