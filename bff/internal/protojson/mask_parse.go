package protojson

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// What a client may write to choose fields.
const (
	// maxMask is the length in bytes. A selection takes up to a hundred bytes of memory for each of them.
	maxMask = 4 << 10
	// maxMaskDepth is how deep the fields may be nested.
	maxMaskDepth = 32
)

// delimiters end a name that is not in backquotes.
const delimiters = ",.()`"

// Selector reads which fields of a document are to be written. It is immutable and safe for concurrent use.
type Selector struct {
	root scope
	// body is the field that is the document. Nil: the message is.
	body *field
	// kept are the indexes of the fields that are written if they are set, even if nobody asks for them.
	kept []int
}

// Selector returns the selector for documents that are a message, or a field of it that has fields in JSON. The kept fields of the
// message are written if they are set, whatever is asked for.
func (c *Codec) Selector(
	desc protoreflect.MessageDescriptor, body protoreflect.FieldDescriptor, kept ...protoreflect.FieldDescriptor,
) *Selector {
	m := c.tables.of(desc)
	if body != nil {
		f := &m.fields[body.Index()]

		return &Selector{root: scopeOf(f), body: f}
	}

	s := &Selector{root: scope{message: m}}
	for _, field := range kept {
		s.kept = append(s.kept, field.Index())
	}

	return s
}

// Parse reads the fields that a client asks for, which may be in several texts: paths with commas between them, such as
// "user.displayName,orders(orderId,total)". Names are those of JSON, or of the proto; "*" is all of a message, a list or a map. A
// path goes through the elements of lists. The names in a map are its keys, or "*" for each of them. A name with other characters
// is in backquotes (AIP-161). The error is for the client.
func (s *Selector) Parse(texts []string) (*Mask, error) {
	mask, length := &Mask{selector: s, root: &selection{}}, 0

	for _, text := range texts {
		if length += len(text); length > maxMask {
			return nil, faultf("is longer than %d bytes", maxMask)
		}

		p := maskParser{text: text}

		switch {
		case text == "" && len(texts) > 1:
			return nil, faultf("is given %d times, and one of them is empty; write it once, as fields=a,b.c, or fields=* for all",
				len(texts))
		case text == "":
			return nil, faultf("is empty; write fields=a,b.c, or fields=* for all")
		case !utf8.ValidString(text):
			return nil, faultf("is not valid UTF-8")
		}

		if err := p.list(s.root, mask.root); err != nil {
			return nil, err
		}

		if p.rest() != "" {
			return nil, p.misplaced(`","`)
		}
	}

	for _, index := range s.kept {
		mask.root.keep(index)
	}

	return mask, nil
}

// maskParser reads one text.
type maskParser struct {
	text string
	pos  int
	// path are the names so far, as they are written.
	path []string
}

func (p *maskParser) rest() string { return p.text[p.pos:] }

// take reports whether the next character is this one, and goes over it.
func (p *maskParser) take(c byte) bool {
	if p.rest() == "" || p.text[p.pos] != c {
		return false
	}

	p.pos++

	return true
}

// misplaced is the fault of the next character, where something else is expected.
func (p *maskParser) misplaced(expected string) error {
	next, _ := utf8.DecodeRuneInString(p.rest())

	return faultf("has %q at character %d, where %s is expected", string(next), p.character(p.pos), expected)
}

// character counts the characters before a position, from 1.
func (p *maskParser) character(pos int) int { return utf8.RuneCountInString(p.text[:pos]) + 1 }

// list reads paths with commas between them.
func (p *maskParser) list(in scope, of *selection) error {
	depth := len(p.path)

	for {
		if err := p.onePath(in, of); err != nil {
			return err
		}

		p.path = p.path[:depth]

		if !p.take(',') {
			return nil
		}
	}
}

// onePath reads a path, which may end with a list of paths in parentheses.
func (p *maskParser) onePath(in scope, of *selection) error {
	for {
		start := p.pos

		name, quoted, err := p.name()
		if err != nil {
			return err
		}

		if len(p.path) >= maxMaskDepth {
			return faultf("%s is nested more than %d levels deep", p.where(), maxMaskDepth)
		}

		p.path = append(p.path, p.text[start:p.pos])
		ends := !strings.HasPrefix(p.rest(), ".") && !strings.HasPrefix(p.rest(), "(")

		if name == allFields && !quoted {
			in, of, err = p.all(in, of, ends)
		} else {
			in, of, err = p.enter(in, of, name)
		}

		switch {
		case err != nil:
			return err
		case ends:
			of.whole = true

			return nil
		case p.take('('):
			return p.nested(in, of)
		}

		p.pos++
	}
}

// nested reads a list of paths to its closing parenthesis.
func (p *maskParser) nested(in scope, of *selection) error {
	open := p.character(p.pos - 1)

	if err := p.list(in, of); err != nil {
		return err
	}

	switch {
	case p.take(')'):
		return nil
	case p.rest() == "":
		return faultf(`has "(" at character %d without a ")"`, open)
	default:
		return p.misplaced(`"," or ")"`)
	}
}

// name reads a name.
func (p *maskParser) name() (name string, quoted bool, err error) {
	if p.take('`') {
		name, _, found := strings.Cut(p.rest(), "`")
		if !found {
			return "", true, faultf("has a backquote at character %d without a second one", p.character(p.pos-1))
		}

		p.pos += len(name) + 1

		return name, true, nil
	}

	name = p.rest()
	if end := strings.IndexAny(name, delimiters); end >= 0 {
		name = name[:end]
	}

	p.pos += len(name)

	switch {
	case name != "":
		return name, false, nil
	case p.rest() == "":
		return "", false, faultf("ends after %q, where a name is expected", p.text[p.pos-1:])
	default:
		return "", false, p.misplaced("a name")
	}
}

// where is the path so far, in quotes.
func (p *maskParser) where() string { return quotePath(p.path) }

func quotePath(path []string) string { return strconv.Quote(Clip(strings.Join(path, "."))) }

// all goes on with "*": each element of a list or each entry of a map, unless the path ends with it.
func (p *maskParser) all(in scope, of *selection, ends bool) (scope, *selection, error) {
	switch {
	case !in.hasParts():
		return in, of, p.noParts(in)
	case ends:
		return in, of, nil
	case in.isMap() && of.keys != nil:
		return in, of, p.mixed()
	case in.isMap():
		if of.every == nil {
			of.every = &selection{}
		}

		return in.entry(), of.every, nil
	case in.list:
		in.list = false

		return in, of, nil
	default:
		return in, of, p.notRepeated()
	}
}

// enter goes on with a field of a message or an entry of a map.
func (p *maskParser) enter(in scope, of *selection, name string) (scope, *selection, error) {
	switch {
	case !in.hasParts():
		return in, of, p.noParts(in)
	case in.isMap() && of.every != nil:
		return in, of, p.mixed()
	case in.isMap():
		key, err := in.key(name)
		if err != nil {
			return in, of, faultf("%s: %v", p.where(), err)
		}

		if of.keys == nil {
			of.keys = map[string]*selection{}
		}

		if of.keys[key] == nil {
			of.keys[key] = &selection{key: name}
		}

		return in.entry(), of.keys[key], nil
	}

	f := in.message.byName[name]
	if f == nil {
		return in, of, p.unknown(in.message, name)
	}

	return scopeOf(f), of.add(f.index), nil
}

func (p *maskParser) mixed() error {
	return faultf(`%s: entries of a map are chosen by their keys or by "*", not by both`, p.where())
}

// notRepeated is the fault of a "*" between names.
func (p *maskParser) notRepeated() error {
	outer := "the response"
	if last := len(p.path) - 1; last > 0 {
		outer = quotePath(p.path[:last])
	}

	return faultf(`%s is followed by a name, but %s is neither a list nor a map; leave out the "*"`, p.where(), outer)
}

func (p *maskParser) noParts(in scope) error {
	outer := quotePath(p.path[:len(p.path)-1])
	if in.value {
		return faultf(noField+"; %s is written as one value", p.where(), outer)
	}

	return faultf(noField+"; %s has no fields", p.where(), outer)
}

const noField = "%s is not a field of the response"

// unknown is the fault of a name that no field has.
func (p *maskParser) unknown(m *message, name string) error {
	names := make([]string, 0, len(m.fields))
	for i := range m.fields {
		names = append(names, m.fields[i].name)
	}

	if found, ok := hint.Nearest(name, names); ok {
		last := len(p.path) - 1
		if meant := strings.Join(append(p.path[:last:last], quoteName(found)), "."); len(meant) <= MaxClip {
			return faultf(noField+"; did you mean %q?", p.where(), meant)
		}
	}

	if strings.Contains(name, "/") {
		return faultf(noField+`; names are separated by "."`, p.where())
	}

	return faultf(noField, p.where())
}

// scope is what the names of a path are looked up in: the fields of a message, or the keys of a map.
type scope struct {
	// message has the fields. Nil: there are none.
	message *message
	// of is the map. Nil: it is none.
	of *field
	// list reports whether there is a list of the messages.
	list bool
	// value reports whether it is a message with a JSON form of its own.
	value bool
}

func scopeOf(f *field) scope {
	switch {
	case f.isMap:
		return scope{of: f}
	case f.message == nil:
		return scope{}
	case f.message.form != FormObject:
		return scope{value: true}
	default:
		return scope{message: f.message, list: f.list}
	}
}

func (s scope) isMap() bool    { return s.of != nil }
func (s scope) hasParts() bool { return s.message != nil || s.isMap() }

// entry is the scope of the values of a map.
func (s scope) entry() scope { return scopeOf(s.of.value) }

// key returns a key of the map in JSON.
func (s scope) key(text string) (string, error) {
	key, err := ParseKey(s.of.key.desc.Kind(), text)
	if err != nil {
		return "", err
	}

	quoted, err := appendString(nil, []byte(key.String()))

	return string(quoted), err
}
