package binding

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// What a query, a path variable or a header may make the gateway allocate for values and the messages that hold them: a multiple of
// its size, plus a constant.
const (
	textMemoryFactor = 64
	textMemoryBase   = 256 << 10
)

// textMemory is how many bytes a text of this length may make the gateway allocate.
func textMemory(length int) int64 { return textMemoryBase + textMemoryFactor*int64(length) }

// Query reads a query string into the message, whose path variables and body are set already, and returns the fields of the
// response that it chooses; nil: all. The error is Faults, MaxFaults at most.
func (b *Binding) Query(text string, m protoreflect.Message) (*protojson.Mask, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // As above.
	}

	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, Fault{In: InQuery, Reason: "is not a valid query string"}.error()
	}

	var faults Faults

	q := query{binding: b, message: m, memory: textMemory(len(text))}
	if len(values) > 1 {
		q.names = make(map[string]string, len(values))
	}

	for _, name := range sortedNames(values) {
		if b.isFields(name) {
			continue
		}

		if fault := q.parameter(name, values[name]); fault != "" {
			faults.List = append(faults.List, Fault{In: InQuery, Name: protojson.Clip(name), Reason: fault})
		}

		if len(faults.List) > MaxFaults {
			break
		}
	}

	// It depends on what the other parameters set.
	mask, fault := b.chosen(values, m)
	if fault != "" {
		faults.List = append(faults.List, Fault{In: InQuery, Name: b.config.Fields.Parameter, Reason: fault})
	}

	return mask, faults.error()
}

// sortedNames returns the names of the parameters in alphabetical order, so that the same request always gets the same response.
func sortedNames(values url.Values) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}

	slices.Sort(names)

	return names
}

// query is a query string that is being read.
type query struct {
	binding *Binding
	message protoreflect.Message
	// names has the parameters so far, by the field or entry that they set. It is nil if there is only one parameter.
	names map[string]string
	// memory is how many bytes may still be allocated.
	memory int64
}

// setTwice is the fault of a singular field with several values.
const setTwice = "is set more than once"

// parameter sets the field or entry that a parameter names, and returns its fault.
func (q *query) parameter(name string, values []string) string {
	b := q.binding
	path, key, keyed := cutKey(name)

	fields, err := b.resolve(path)

	switch {
	case errors.Is(err, schema.ErrDepth) && !b.Ignores(name):
		return fmt.Sprintf("is nested more than %d levels deep", b.config.Codec.MaxDepth())
	case err != nil || b.bodyIsMessage:
		return b.unknown(name, fields)
	}

	if fault := cmp.Or(b.taken(fields), misspelt(fields, key, keyed)); fault != "" {
		return fault
	}

	target := fields.String()
	if keyed {
		target += "[" + key + "]"
	}

	if other, ok := q.names[target]; ok {
		return fmt.Sprintf("is the same as %q", protojson.Clip(other))
	}

	if q.names != nil {
		q.names[target] = name
	}

	return q.setParameter(fields, key, values)
}

// misspelt is the fault of a parameter that names a field, but cannot be written like that.
func misspelt(fields schema.FieldPath, key string, keyed bool) string {
	last := fields.Last()
	value := slices.IndexFunc(fields[:len(fields)-1], isValue)

	switch {
	case value >= 0:
		return "is a part of what is written as one value" + queryExample(fields[:value+1])
	case keyed && !last.IsMap():
		return "is not a map" + bracketsExample(fields, key)
	case !keyed && last.IsMap():
		return "is a map" + queryExample(fields)
	case isPlain(last):
		return "is a message; only its fields can be given" + queryExample(fields)
	default:
		return ""
	}
}

// setParameter sets a field, or an entry of it, to the values of a parameter.
func (q *query) setParameter(fields schema.FieldPath, key string, values []string) string {
	last := fields.Last()

	if !last.IsList() && len(values) > 1 {
		if isMask(last) {
			return setTwice + queryExample(fields)
		}

		return setTwice
	}

	if fault := contended(q.message, fields); fault != "" {
		return fault
	}

	if q.memory -= q.missing(fields); q.memory < 0 {
		return "takes too much memory for the size of the query"
	}

	m := fields.Holder(q.message)

	switch {
	case last.IsMap():
		return q.setEntry(m, last, key, values[0])
	case last.IsList():
		fault := q.setList(m, last, values)
		if fault != "" && len(values) == 1 && strings.Contains(values[0], ",") {
			fault += queryExample(fields)
		}

		return fault
	}

	value, fault := q.parse(values[0], last, func() protoreflect.Value { return m.NewField(last) })
	if fault == "" {
		m.Set(last, value)
	}

	return fault
}

// resolve finds a field by the name of a parameter, without the key of a map.
func (b *Binding) resolve(path string) (schema.FieldPath, error) {
	return schema.ResolveFieldWithin(b.input, path, b.config.Codec.MaxDepth())
}

// missing returns the size of the messages on the way to a field that do not exist yet, in bytes.
func (q *query) missing(path schema.FieldPath) int64 {
	m, bytes := q.message, int64(0)

	for _, field := range path[:len(path)-1] {
		if bytes > 0 || !m.Has(field) {
			bytes += q.binding.config.Codec.SizeOf(field.Message())
		} else {
			m = m.Get(field).Message()
		}
	}

	return bytes
}

// isValue reports whether the field holds a message that has a JSON form of its own, such as a time.
func isValue(field protoreflect.FieldDescriptor) bool { return hasForm(field.Message()) }

func hasForm(message protoreflect.MessageDescriptor) bool {
	return protojson.FormOf(message.FullName()) != protojson.FormObject
}

// cutKey splits the key of a map off a name.
func cutKey(name string) (path, key string, keyed bool) {
	path, rest, found := strings.Cut(name, "[")
	if key, keyed = strings.CutSuffix(rest, "]"); found && keyed {
		return path, key, true
	}

	return name, "", false
}

// Ignores reports whether a query parameter is ignored.
func (b *Binding) Ignores(name string) bool {
	path, _, _ := cutKey(name)
	if _, err := b.resolve(path); err == nil && !b.bodyIsMessage || b.isFields(name) {
		return false
	}

	return b.config.AllowUnknown || slices.ContainsFunc(b.config.IgnoredParameters, func(pattern string) bool {
		prefix, wild := strings.CutSuffix(pattern, "*")
		return name == pattern || wild && strings.HasPrefix(name, prefix)
	})
}

// unknown is the fault of a parameter that names no field; none if it is ignored. known is the part of the name that is a field.
func (b *Binding) unknown(name string, known schema.FieldPath) string {
	const fault = "unknown parameter"

	switch {
	case b.Ignores(name):
		return ""
	case len(known) == 0:
		return fault + hint.DidYouMean(name, b.names)
	case b.bodyIsMessage:
		return fault
	case known.Last().IsMap():
		return fault + queryExample(known)
	case known.Last().Message() == nil || known.Last().IsList():
		return fault
	}

	// Another field of the message may be meant.
	names := make([]string, 0, known.Last().Message().Fields().Len())
	for _, field := range fieldsOf(known.Last().Message()) {
		names = append(names, field.JSONName())
	}

	rest := name
	for range known {
		_, rest, _ = strings.Cut(rest, ".")
	}

	found, ok := hint.Nearest(rest, names)
	if meant := known.String() + "." + found; ok && len(meant) <= protojson.MaxClip {
		return fault + "; did you mean \"" + meant + "\"?"
	}

	return fault
}

// taken is the fault of a parameter for a field that the path or the body sets.
func (b *Binding) taken(fields schema.FieldPath) string {
	if b.body != nil && fields[0] == b.body {
		return "belongs in the body"
	}

	for _, v := range b.variables {
		n := min(len(v.path), len(fields))
		if slices.Equal(v.path[:n], fields[:n]) && len(fields) <= len(v.path) {
			return "is given by the path"
		}
	}

	return ""
}

func (q *query) setList(m protoreflect.Message, field protoreflect.FieldDescriptor, values []string) string {
	list := m.NewField(field).List()

	for i, text := range values {
		value, fault := q.parse(text, field, list.NewElement)
		if fault != "" {
			return fmt.Sprintf("value %d %s", i+1, fault)
		}

		list.Append(value)
	}

	m.Set(field, protoreflect.ValueOfList(list))

	return ""
}

// parse reads a value, or returns its fault.
func (q *query) parse(
	text string, field protoreflect.FieldDescriptor, fresh func() protoreflect.Value,
) (protoreflect.Value, string) {
	codec, limits := q.binding.config.Codec, protojson.Limits{Memory: &q.memory}
	value, err := codec.ParseText(text, field, fresh, limits)

	switch {
	case err == nil:
		return value, ""
	case strings.Contains(text, " ") && q.memory > 0:
		if _, again := codec.ParseText(strings.ReplaceAll(text, " ", "+"), field, fresh, limits); again == nil {
			return value, err.Error() + `; it has a space where "+" is meant, which in a query is written as %2B`
		}
	}

	return value, err.Error()
}

func (q *query) setEntry(m protoreflect.Message, field protoreflect.FieldDescriptor, name, text string) string {
	key, err := protojson.ParseKey(field.MapKey().Kind(), name)
	if err != nil {
		return err.Error()
	}

	entries := m.Mutable(field).Map()
	if entries.Has(key) {
		return "is set under another spelling of the key"
	}

	value, fault := q.parse(text, field, entries.NewValue)
	if fault == "" {
		entries.Set(key, value)
	}

	return fault
}

// contended is the fault of a field that is, or that is within, a second member of a oneof.
func contended(m protoreflect.Message, path schema.FieldPath) string {
	for i, field := range path {
		if fault := contend(m, field); fault != "" {
			return fault
		}

		if i < len(path)-1 {
			if !m.Has(field) {
				break
			}

			m = m.Get(field).Message()
		}
	}

	return ""
}

// contend is the fault of a field that is a second member of a oneof.
func contend(m protoreflect.Message, field protoreflect.FieldDescriptor) string {
	oneof := field.ContainingOneof()
	if oneof == nil {
		return ""
	}

	if set := m.WhichOneof(oneof); set != nil && set != field {
		return fmt.Sprintf("is a second member of the oneof %q, as %s is", oneof.Name(), set.JSONName())
	}

	return ""
}
