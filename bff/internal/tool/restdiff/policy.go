package restdiff

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// policies compares the fields of the policy table, and what is not in it.
func (c *comparison) policies() {
	c.streams()

	for _, row := range policy.Fields() {
		if c.comparable(row) {
			c.field(row)
		}
	}

	c.access()
	c.rateLimits()
	c.headers()
	c.fieldOf("response.location", LocationRemoved, LocationChanged)
	c.fieldOf("stream.event_id", StreamChanged, StreamChanged)
}

// comparable reports whether a field has a meaning for clients in both versions.
func (c *comparison) comparable(row policy.Field) bool {
	switch group, _, _ := strings.Cut(row.Path, "."); {
	case group == "access":
		return c.old.Policy.Effective.GetAccess().GetPublic() == c.now.Policy.Effective.GetAccess().GetPublic()
	case group == "stream":
		return c.old.ServerStream && c.now.ServerStream
	case row.Path == "max_body_bytes":
		return c.old.Body != ""
	case row.Path == "cache.tags":
		return c.now.Policy.Cache != nil && c.now.Policy.Cache.TTL > 0
	default:
		return true
	}
}

// field compares what both policies have in a field.
func (c *comparison) field(row policy.Field) {
	old, now := valueOf(c.old.Policy, row), valueOf(c.now.Policy, row)
	changed := func() {
		why := fmt.Sprintf("%s is %s, not %s", row.Path, now.text, old.text)
		if old.text == "" {
			why = fmt.Sprintf("%s is %s", row.Path, now.text)
		}

		c.changedf(protopos.Policy(c.now.Descriptor, row.Path), row.Rule, old.text, now.text, "%s", why)
	}

	switch {
	case row.Change == policy.Lost:
		c.lost(row, old, now, changed)
	case breaks(row.Change, old, now):
		changed()
	}
}

// breaks reports whether clients notice the change of a value. Lists of what a response has are compared by lost.
func breaks(change policy.Change, old, now value) bool {
	switch change {
	case policy.Lowered:
		return old.within && limited(old, now)
	case policy.Raised:
		return now.number > old.number
	case policy.Demanded:
		return !slices.Contains([]string{"", "false", old.text}, now.text)
	case policy.SwitchedOff:
		return old.text == "true" && now.text != "true"
	case policy.AnyOf:
		return now.set && (!old.set || lacks(now.items, old.items))
	case policy.AllOf:
		return lacks(old.items, now.items)
	default:
		return false
	}
}

// limited reports whether there is a limit now that is lower than before. What is not set is without a limit.
func limited(old, now value) bool { return now.set && (!old.set || now.number < old.number) }

// lost finds what is gone, of a list each element.
func (c *comparison) lost(row policy.Field, old, now value, changed func()) {
	for i, item := range old.items {
		if !slices.Contains(now.items, item) {
			at := protopos.Policy(c.old.Descriptor, fmt.Sprintf("%s[%d]", row.Path, i))
			c.lostf(at, row.Rule, item, "%s no longer has %s", row.Path, item)
		}
	}

	switch {
	case len(old.items) > 0:
	case old.set && !now.set:
		c.lostf(protopos.Policy(c.old.Descriptor, row.Path), row.Rule, old.text, "%s is gone, which was: %s", row.Path, old.text)
	case old.set && old.number != now.number:
		changed()
	}
}

// lacks reports whether one of the items is not among the others.
func lacks(others, items []string) bool {
	return slices.ContainsFunc(items, func(item string) bool { return !slices.Contains(others, item) })
}

// value is what a policy has in a field.
type value struct {
	// within reports whether there is the message that the field is of, and set whether it is set there.
	within, set bool

	text   string
	number float64
	// items are those of a list.
	items []string
}

func valueOf(p policy.Policy, row policy.Field) value {
	names := strings.Split(row.Path, ".")
	message := p.Effective.ProtoReflect()

	for _, name := range names[:len(names)-1] {
		field := message.Descriptor().Fields().ByName(protoreflect.Name(name))
		if field.IsList() || !message.Has(field) {
			return value{}
		}

		message = message.Get(field).Message()
	}

	field := message.Descriptor().Fields().ByName(protoreflect.Name(names[len(names)-1]))
	if !message.Has(field) {
		return value{within: true}
	}

	v := value{within: true, set: true, text: row.Value(message, policy.Style{})}

	switch {
	case field.IsList() && field.Message() == nil:
		v.items = strings.Split(v.text, ", ")
	case field.Message() != nil && !isTime(field.Message()) && !field.IsList():
		v.text = policy.Text(row.Path, message.Get(field).Message(), policy.Style{Long: true})
	case !field.IsList() && field.Kind() != protoreflect.BoolKind:
		v.number = leafOf(field, message.Get(field)).number
	}

	return v
}

// access finds changes that are not in the table: of public access, and of the owner.
func (c *comparison) access() {
	old, now := c.old.Policy.Effective.GetAccess(), c.now.Policy.Effective.GetAccess()

	var field string

	switch {
	case old.GetPublic() && !now.GetPublic():
		field = "access"
	case now.GetOwner() != nil && !c.sameOwner(old.GetOwner(), now.GetOwner()):
		field = "access.owner"
	default:
		return
	}

	was, is := policy.AccessText(old), policy.AccessText(now)
	c.changedf(protopos.Policy(c.now.Descriptor, field), AccessNarrowed, was, is, "needs %s; was %s", is, was)
}

// sameOwner reports whether callers who met the old requirement meet the new one. Variables are the same if their place in the path
// is.
func (c *comparison) sameOwner(old, now *porticov1.Owner) bool {
	place := func(template pathtemplate.Template, owner *porticov1.Owner) int {
		return slices.Index(template.Variables(), owner.GetVariable())
	}

	return old != nil && (old.GetUnlessScope() == "" || old.GetUnlessScope() == now.GetUnlessScope()) &&
		place(c.old.Template, old) == place(c.now.Template, now)
}

// fieldOf compares what names fields of the response, whose names clients do not see.
func (c *comparison) fieldOf(path, removed, changed string) {
	row := policy.Field{Path: path}
	old, now := valueOf(c.old.Policy, row), valueOf(c.now.Policy, row)

	switch {
	case !old.set || c.old.ServerStream != c.now.ServerStream:
	case !now.set:
		c.lostf(protopos.Policy(c.old.Descriptor, path), removed, old.text, "%s is gone, which was %s", path, old.text)
	case numbered(old.text, c.old.Descriptor.Output()) != numbered(now.text, c.now.Descriptor.Output()):
		c.changedf(protopos.Policy(c.now.Descriptor, path), changed, old.text, now.text,
			"%s is %s, not %s", path, now.text, old.text)
	}
}

// numbered is the path of a field, or a template with such paths in braces, with the numbers of the fields in place of their names.
func numbered(template string, message protoreflect.MessageDescriptor) string {
	number := func(name string) string {
		path, err := schema.ResolveField(message, name)
		if err != nil {
			return name
		}

		return fmt.Sprint(fieldNumbers(path))
	}

	if !strings.Contains(template, "{") {
		return number(template)
	}

	var out strings.Builder

	for i, part := range strings.Split(template, "{") {
		if name := part[:max(strings.IndexAny(part, "=}"), 0)]; i > 0 && name != "" {
			part = number(name) + part[len(name):]
		}

		out.WriteString("{" + part)
	}

	return out.String()
}

// fieldNumbers are those of the fields on a path.
func fieldNumbers(path schema.FieldPath) []protoreflect.FieldNumber {
	out := make([]protoreflect.FieldNumber, 0, len(path))
	for _, field := range path {
		out = append(out, field.Number())
	}

	return out
}

// headers finds request headers that no longer have a meaning, or another one.
func (c *comparison) headers() {
	for i, old := range c.old.Policy.Headers {
		j := slices.IndexFunc(c.now.Policy.Headers, func(now policy.Header) bool { return now.Name == old.Name })
		if j < 0 {
			c.lostf(protopos.Policy(c.old.Descriptor, fmt.Sprintf("headers[%d]", i)), RequestHeaderRemoved, old.Name,
				"ignores the header %s, which set %s", old.Name, old.Field)

			continue
		}

		if now := c.now.Policy.Headers[j]; !slices.Equal(fieldNumbers(old.Field), fieldNumbers(now.Field)) {
			c.changedf(protopos.Policy(c.now.Descriptor, fmt.Sprintf("headers[%d].field", j)), RequestHeaderChanged,
				old.Field.String(), now.Field.String(), "sets %s from the header %s, not %s", now.Field, old.Name, old.Field)
		}
	}
}

// streams finds an RPC that streams, or no longer does.
func (c *comparison) streams() {
	form := func(e endpoint) string {
		switch {
		case e.ClientStream && e.ServerStream:
			return "a stream in response to a stream"
		case e.ClientStream:
			return "one response to a stream"
		case e.ServerStream:
			return "a stream in response to one request"
		default:
			return "one response to one request"
		}
	}

	if was, is := form(c.old), form(c.now); was != is {
		c.changedf(protopos.Of(c.now.Descriptor), StreamChanged, was, is, "gives %s, not %s", is, was)
	}
}
