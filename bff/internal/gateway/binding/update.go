package binding

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// update is how the requests of a PATCH route name the fields of a resource that they change.
type update struct {
	request protoreflect.MessageDescriptor
	mask    protoreflect.FieldDescriptor
	// resources are the fields of the request that may hold the resource.
	resources []protoreflect.FieldDescriptor
	// flat reports whether the fields of the resource may be those of the request itself.
	flat bool
}

// updateOf returns nil if the route is not a PATCH with a field mask.
func (b *Binding) updateOf(r schema.Route) *update {
	mask, _ := r.UpdateMask()
	if mask == nil || b.file {
		return nil
	}

	u := &update{request: b.input, mask: mask, flat: b.bodyIsMessage}

	for i := range b.input.Fields().Len() {
		field := b.input.Fields().Get(i)
		if (b.bodyIsMessage || field == b.body) && isPlain(field) {
			u.resources = append(u.resources, field)
		}
	}

	return u
}

// isPlain reports whether the field holds one message that is an object in JSON.
func isPlain(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && !field.IsList() && !field.IsMap() && !isValue(field)
}

// target is a path of a mask.
type target struct {
	// path begins in the request. It ends with the field, or with the list, map or value that the field is in. Nil: there is none.
	path schema.FieldPath
	// exact reports whether path ends with the field.
	exact bool
}

// targets resolves the paths of a mask, in the resource or, if more of them are found there, in the request. resource is the field
// with the resource; nil: the request. Nothing is found for a mask of more than maxPaths.
func (u *update) targets(paths protoreflect.List) (found []target, resource protoreflect.FieldDescriptor) {
	if paths.Len() > maxPaths {
		return nil, nil
	}

	best := 0

	for _, candidate := range append(slices.Clip(u.resources), nil) {
		targets, known := make([]target, paths.Len()), 0

		for i := range targets {
			if targets[i] = u.target(candidate, paths.Get(i).String()); targets[i].path != nil {
				known++
			}
		}

		if known > best {
			found, resource, best = targets, candidate, known
		}
	}

	for i := range found {
		// A path may be one in the request, even if the others are not.
		if found[i].path == nil {
			found[i].path = u.target(nil, paths.Get(i).String()).path
		}
	}

	return found, resource
}

func (u *update) target(resource protoreflect.FieldDescriptor, text string) target {
	message, path := u.request, schema.FieldPath(nil)
	if resource != nil {
		message, path = resource.Message(), schema.FieldPath{resource}
	}

	for name := range strings.SplitSeq(text, ".") {
		if message == nil {
			// A list, a map or a value is changed as one.
			return target{path: path}
		}

		field := fieldOf(message, name)
		if field == nil {
			return target{}
		}

		path, message = append(path, field), nil

		if isPlain(field) {
			message = field.Message()
		}
	}

	return target{path: path, exact: true}
}

// fieldOf finds a field by its name in the proto, or by its JSON name converted to one: "foo_bar" for "fooBar".
func fieldOf(message protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if field := message.Fields().ByName(protoreflect.Name(name)); field != nil {
		return field
	}

	return message.Fields().ByJSONName(camelCase(name))
}

// camelCase is the JSON name that protoc gives a field of this name.
func camelCase(name string) string {
	var out strings.Builder

	for i := range len(name) {
		switch {
		case name[i] == '_':
		case i > 0 && name[i-1] == '_' && name[i] >= 'a' && name[i] <= 'z':
			out.WriteByte(name[i] - 'a' + 'A')
		default:
			out.WriteByte(name[i])
		}
	}

	return out.String()
}

// ResolveMask changes the paths of an update mask to proto names where conversion from camelCase does not result in them: for a
// field with a json_name, or with a digit after an underscore.
func (b *Binding) ResolveMask(m protoreflect.Message) {
	if b.update == nil || !m.Has(b.update.mask) {
		return
	}

	paths := pathsOf(m, b.update.mask)
	targets, resource := b.update.targets(paths)

	for i, t := range targets {
		if !t.exact {
			continue
		}

		names := t.path
		if resource != nil {
			names = names[1:]
		}

		if name := protoNames(names); name != paths.Get(i).String() {
			paths.Set(i, protoreflect.ValueOfString(name))
		}
	}
}

// pathsOf returns the paths of a mask that is set.
func pathsOf(m protoreflect.Message, mask protoreflect.FieldDescriptor) protoreflect.List {
	value := m.Get(mask).Message()
	return value.Mutable(value.Descriptor().Fields().ByName("paths")).List()
}

func protoNames(path schema.FieldPath) string {
	names := make([]string, len(path))
	for i, field := range path {
		names[i] = string(field.Name())
	}

	return strings.Join(names, ".")
}

// selection is the part of a message that an update mask names, by field number: nil for a field that is changed completely, or
// else what is changed in it.
type selection map[protoreflect.FieldNumber]selection

// add adds the field that a path leads to. It returns how many messages have become a part of the selection.
func (s selection) add(path schema.FieldPath) int {
	added := 0

	for i, field := range path {
		part, known := s[field.Number()]

		switch {
		case known && part == nil:
			return added
		case i == len(path)-1:
			s[field.Number()] = nil
		case !known:
			part = selection{}
			s[field.Number()] = part
			added++
		}

		s = part
	}

	return added
}

// maxPaths is how many paths a mask may have, maxParts how many messages it may name fields of, to be resolved.
const (
	maxPaths = 1000
	maxParts = 1000
)

// selected returns the part of a request whose rules count: what it changes, and what is beside the resource.
func (b *Binding) selected(m protoreflect.Message) part {
	all := part{message: m}

	u := b.update
	if u == nil || !m.Has(u.mask) {
		return all
	}

	targets, resource := u.targets(pathsOf(m, u.mask))
	if targets == nil {
		return all
	}

	s, parts := selection{}, 0
	if resource != nil {
		s[resource.Number()] = selection{}
	}

	// The resource is the request, or the mask names it as a field of the request.
	updated, flat := u.flat && resource == nil, false

	for _, t := range targets {
		if t.path == nil {
			continue
		}

		flat = flat || updated && !slices.Contains(u.resources, t.path[0])

		if parts += s.add(t.path); parts > maxParts {
			return all
		}
	}

	b.addBound(s)

	if !flat {
		b.addRest(s, func(field protoreflect.FieldDescriptor) bool { return !updated || m.Has(field) })
	}

	return part{message: m, selection: s, updated: updated}
}

// addBound adds the fields that path variables and headers set.
func (b *Binding) addBound(s selection) {
	for _, v := range b.variables {
		s.add(v.path)
	}

	for _, h := range b.config.Headers {
		s.add(h.Field)
	}
}

// addRest adds the fields beside the resource whose rules count.
func (b *Binding) addRest(s selection, counts func(protoreflect.FieldDescriptor) bool) {
	for i := range b.input.Fields().Len() {
		field := b.input.Fields().Get(i)
		if _, known := s[field.Number()]; !known && field != b.body && counts(field) {
			s[field.Number()] = nil
		}
	}
}
