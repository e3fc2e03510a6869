package protojson

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Mask is the fields of a document that are written (AIP-157), as a Selector reads them. Nil: all are. It is immutable.
type Mask struct {
	selector *Selector
	root     *selection
}

// selection is what is written of a message, of each message of a list, or of a map. Nil: all of it.
type selection struct {
	// whole reports that all of it is written, whatever else it says.
	whole bool
	// fields are those of a message, in the order of their indexes. low has a bit for each of the first wordBits.
	fields []selected
	low    uint64
	// keys are the entries of a map by their keys in JSON, and every is what is written of each entry. Only one of them is set.
	keys  map[string]*selection
	every *selection
	// key is the key of an entry.
	key string
}

// selected is a field that is written.
type selected struct {
	index int
	of    *selection
	// kept reports that the client has not asked for it, and that it is only written if it is set.
	kept bool
}

// of returns the selection for the encoder.
func (m *Mask) of() *selection {
	if m == nil {
		return nil
	}

	return m.root.orAll()
}

func (s *selection) orAll() *selection {
	if s.whole {
		return nil
	}

	return s
}

func (s *selection) find(index int) (at int, found bool) {
	return slices.BinarySearchFunc(s.fields, index, func(f selected, index int) int { return cmp.Compare(f.index, index) })
}

// has reports whether a field is written if it is set.
func (s *selection) has(index int) bool {
	switch {
	case s == nil:
		return true
	case index < wordBits:
		return s.low>>index&1 != 0
	}

	_, found := s.find(index)

	return found
}

// asks reports whether a field is written even if it is unset, where unset fields are.
func (s *selection) asks(index int) bool {
	at, found := s.find(index)

	return found && !s.fields[at].kept
}

// field returns what is written of a field that the selection has.
func (s *selection) field(index int) *selection {
	if s == nil {
		return nil
	}

	at, _ := s.find(index)

	return s.fields[at].of.orAll()
}

// entry returns what is written of an entry of a map, by its key in JSON; false if it is not.
func (s *selection) entry(key []byte) (*selection, bool) {
	switch {
	case s == nil:
		return nil, true
	case s.every != nil:
		return s.every.orAll(), true
	}

	of, found := s.keys[string(key)]
	if !found {
		return nil, false
	}

	return of.orAll(), true
}

// add returns the selection of a field, which is added if it is new.
func (s *selection) add(index int) *selection {
	at, found := s.find(index)
	if !found {
		s.insert(at, selected{index: index, of: &selection{}})
	}

	s.fields[at].kept = false

	return s.fields[at].of
}

// keep adds a field that is written if it is set.
func (s *selection) keep(index int) {
	if at, found := s.find(index); !found {
		s.insert(at, selected{index: index, of: &selection{whole: true}, kept: true})
	}
}

func (s *selection) insert(at int, f selected) {
	s.fields = slices.Insert(s.fields, at, f)

	if f.index < wordBits {
		s.low |= 1 << f.index
	}
}

// String returns the fields in normal form: masks that choose the same are written the same.
func (m *Mask) String() string {
	var out strings.Builder

	m.selector.root.write(&out, m.root)

	return out.String()
}

// write writes a selection in normal form.
func (s scope) write(out *strings.Builder, of *selection) {
	first := true
	part := func(name string, inner scope, of *selection) {
		if !first {
			out.WriteByte(',')
		}

		first = false

		out.WriteString(name)

		if !of.whole {
			out.WriteByte('(')
			inner.write(out, of)
			out.WriteByte(')')
		}
	}

	switch {
	case of.whole:
		out.WriteString(allFields)
	case of.every != nil:
		part(allFields, s.entry(), of.every)
	case s.isMap():
		for _, key := range slices.Sorted(maps.Keys(of.keys)) {
			part(quoteKey(of.keys[key].key), s.entry(), of.keys[key])
		}
	default:
		for _, f := range of.fields {
			if !f.kept {
				part(quoteKey(s.message.fields[f.index].name), scopeOf(&s.message.fields[f.index]), f.of)
			}
		}
	}
}

// quoteName writes a name as Parse reads it, unless it is "*".
func quoteName(name string) string {
	if name == "" || strings.ContainsAny(name, delimiters) {
		return "`" + name + "`"
	}

	return name
}

// quoteKey writes any name as Parse reads it.
func quoteKey(name string) string {
	if name == allFields {
		return "`" + name + "`"
	}

	return quoteName(name)
}

// Fields are the fields of the message that are asked for. They are nil if all are.
func (m *Mask) Fields() []protoreflect.FieldDescriptor {
	switch {
	case m.selector.body != nil:
		return []protoreflect.FieldDescriptor{m.selector.body.desc}
	case m.root.whole:
		return nil
	}

	fields := make([]protoreflect.FieldDescriptor, 0, len(m.root.fields))

	for _, f := range m.root.fields {
		if !f.kept {
			fields = append(fields, m.selector.root.message.fields[f.index].desc)
		}
	}

	return fields
}

// Paths are the paths of a google.protobuf.FieldMask of the message that has all that is asked for. A path ends with a list or a
// map, as no path of such a mask leads through one.
func (m *Mask) Paths() []string {
	if m.selector.body == nil {
		paths, ok := m.selector.root.paths(nil, "", m.root)
		if !ok {
			return []string{allFields}
		}

		return paths
	}

	return fieldPaths(nil, "", m.selector.body, m.root)
}

// paths appends the paths of what is written of a message; not ok if there are none for it, because all of it is, or an extension.
func (s scope) paths(paths []string, prefix string, of *selection) (_ []string, ok bool) {
	if of.whole || s.message == nil || s.list {
		return paths, false
	}

	count := len(paths)

	for _, f := range of.fields {
		field := &s.message.fields[f.index]

		switch {
		case f.kept:
		case field.desc.IsExtension():
			return paths[:count], false
		default:
			paths = fieldPaths(paths, prefix, field, f.of)
		}
	}

	return paths, true
}

// fieldPaths appends the paths of what is written of a field.
func fieldPaths(paths []string, prefix string, f *field, of *selection) []string {
	path := prefix + string(f.desc.Name())

	inner, ok := scopeOf(f).paths(paths, path+".", of)
	if !ok {
		return append(paths, path)
	}

	return inner
}
