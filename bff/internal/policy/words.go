package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Style is how a policy is put in words.
type Style struct {
	// Long is for sentences, and not for the line of a route.
	Long bool
	// Clients leaves out what is for operators. Long texts for clients are Markdown.
	Clients bool
}

// Summary is all of the policy on one line.
func (p Policy) Summary() string {
	var parts []string

	for _, field := range Fields() {
		if !strings.Contains(field.Path, ".") {
			parts = append(parts, p.Texts(field.Path, Style{})...)
		}
	}

	return strings.Join(parts, "; ")
}

// Texts are what the policy says of one of its fields; of a list, a text for each element. Nil: nothing.
func (p Policy) Texts(name string, style Style) []string {
	message := p.Effective.ProtoReflect()
	field := message.Descriptor().Fields().ByName(protoreflect.Name(name))

	if !message.Has(field) {
		return nil
	}

	var texts []string

	add := func(text string) {
		if text != "" {
			texts = append(texts, text)
		}
	}

	switch {
	case field.IsList():
		for i := range message.Get(field).List().Len() {
			add(Text(name, message.Get(field).List().Get(i).Message(), style))
		}
	case isStruct(field):
		add(Text(name, message.Get(field).Message(), style))
	default:
		add(trim(row(name).says(message, field, style)))
	}

	if name == FieldRetry && len(texts) > 0 && p.Retry != nil && p.Retry.Key != nil && !style.Long {
		texts[0] += " with " + headerKey
	}

	return texts
}

// Text is what a message within a policy says, by the path of the field that has it, "rate_limits".
func Text(path string, m protoreflect.Message, style Style) string {
	return trim(text(path+".", m, style))
}

// AccessText is what an access policy requires, on one line: "owner user_id or users:admin".
func AccessText(access *porticov1.Access) string {
	return Text("access", access.ProtoReflect(), Style{})
}

func trim(text string) string { return strings.TrimLeft(text, ",; ") }

// text puts a message in words in the order of the table.
func text(prefix string, m protoreflect.Message, style Style) string {
	var (
		out  strings.Builder
		done = map[protoreflect.Name]bool{}
	)

	for _, row := range Fields() {
		rest, within := strings.CutPrefix(row.Path, prefix)
		if !within {
			continue
		}

		name, _, nested := strings.Cut(rest, ".")
		field := m.Descriptor().Fields().ByName(protoreflect.Name(name))

		switch {
		case field == nil || done[field.Name()] || !m.Has(field) || row.Operators && style.Clients:
			continue
		case nested:
			out.WriteString(text(prefix+name+".", m.Get(field).Message(), style))
		default:
			out.WriteString(row.says(m, field, style))
		}

		done[field.Name()] = true
	}

	return out.String()
}

// row is that of a path.
func row(path string) Field {
	for _, field := range Fields() {
		if field.Path == path {
			return field
		}
	}

	return Field{}
}

// says puts the value of a field in words. It is empty if there is nothing to say.
func (f Field) says(m protoreflect.Message, field protoreflect.FieldDescriptor, style Style) string {
	if f.text != nil {
		return f.text(m, style)
	}

	format := f.Short
	if style.Long {
		format = f.Long
	}

	value := m.Get(field)
	off := field.Kind() == protoreflect.BoolKind && !value.Bool()

	if format == "" || off || f.Usual != "" && f.Value(m, Style{}) == f.Usual {
		return ""
	}

	return strings.Replace(format, "%s", f.Value(m, style), 1)
}

// Value is the value that the field has in a message.
func (f Field) Value(m protoreflect.Message, style Style) string {
	field := m.Descriptor().Fields().ByName(protoreflect.Name(f.Path[strings.LastIndexByte(f.Path, '.')+1:]))
	value := m.Get(field)

	if !field.IsList() {
		return f.item(field, value, style)
	}

	items := make([]string, 0, value.List().Len())
	for i := range value.List().Len() {
		items = append(items, f.item(field, value.List().Get(i), style))
	}

	return strings.Join(items, ", ")
}

func (f Field) item(field protoreflect.FieldDescriptor, value protoreflect.Value, style Style) string {
	switch v := value.Interface().(type) {
	case protoreflect.EnumNumber:
		if words := f.Values[v]; style.Long {
			return words[1]
		} else if words[0] != "" {
			return words[0]
		}

		return string(field.Enum().Values().ByNumber(v).Name())
	case protoreflect.Message:
		return durationText(v, style)
	case int32, int64:
		return f.count(value.Int(), style)
	case float64:
		return share(v, f.Unit)
	case string:
		v = strings.Join(strings.Fields(v), " ")
		if style.Long && style.Clients {
			return "`" + v + "`"
		}

		return v
	default:
		return value.String()
	}
}

func durationText(m protoreflect.Message, style Style) string {
	d, ok := m.Interface().(*durationpb.Duration)

	switch {
	case !ok:
		return ""
	case style.Long:
		return Span(d.AsDuration())
	default:
		return d.AsDuration().String()
	}
}

// count is a number with what it counts.
func (f Field) count(n int64, style Style) string {
	text := strconv.FormatInt(n, 10)
	if f.Unit == "" || !style.Long {
		return text
	}

	if n == 1 {
		return text + " " + f.Unit
	}

	return text + " " + f.Unit + "s"
}

func share(v float64, unit string) string {
	const percent = 100

	if unit == "%" {
		return fmt.Sprintf("%g%%", v*percent)
	}

	return fmt.Sprintf("%g", v)
}

// isStruct reports whether a field holds a message of fields that have rows, and not a value such as a duration.
func isStruct(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && field.Message().ParentFile().Package() == "portico.v1"
}

// Span writes a duration without the zeros behind it: "1m" and not "1m0s".
func Span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}

	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}

	return text
}
