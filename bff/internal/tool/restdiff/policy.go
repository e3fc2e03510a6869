package restdiff

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema/fieldpath"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// in is where a field of the policy stands, given by its path.
func in(method protoreflect.MethodDescriptor, field string) protopos.Position {
	return protopos.Policy(method, field)
}

// access finds callers who might and no longer may.
func (c *comparison) access() {
	old, now := c.old.Policy.Access, c.now.Policy.Access

	narrowed := func(was, is, why string, where string) {
		c.changedf(in(c.now.Descriptor, where), AccessNarrowed, was, is, "%s", why)
	}
	lists := []struct {
		what     string
		old, now []string
		anyOf    bool
		field    string
	}{
		{"any of the scopes", old.AnyOf, now.AnyOf, true, "access.scopes"},
		{"all of the scopes", old.AllOf, now.AllOf, false, "access.scopes"},
		{"any of the roles", old.AnyRole, now.AnyRole, true, "access.roles"},
		{"all of the roles", old.AllRoles, now.AllRoles, false, "access.roles"},
	}

	if old.Public && !now.Public {
		narrowed(old.String(), now.String(), "was public and needs "+now.String(), "access")

		return
	}

	for _, l := range lists {
		if narrower(l.old, l.now, l.anyOf) {
			is := strings.Join(l.now, ", ")
			why := fmt.Sprintf("needs %s %s, not %s", l.what, is, strings.Join(l.old, ", "))

			if len(l.old) == 0 {
				why = fmt.Sprintf("needs %s %s", l.what, is)
			}

			narrowed(strings.Join(l.old, ", "), is, why, l.field)
		}
	}

	if now.Owner != nil && !c.sameOwner(old.Owner, now.Owner) {
		is := policy.Access{Owner: now.Owner}.String()
		narrowed(old.String(), is, "needs "+is+"; was "+old.String(), "access.owner")
	}

	if now.Condition != nil && (old.Condition == nil || old.Condition.String() != now.Condition.String()) {
		was := ""
		if old.Condition != nil {
			was = old.Condition.String()
		}

		narrowed(was, now.Condition.String(), "has another condition: "+now.Condition.String(), "access.condition")
	}
}

// narrower tells whether somebody who had what the old list demands may lack what the new one does.
func narrower(old, now []string, anyOf bool) bool {
	missing := func(of, from []string) bool {
		return slices.ContainsFunc(of, func(name string) bool { return !slices.Contains(from, name) })
	}

	switch {
	case len(now) == 0:
		return false
	case anyOf:
		return len(old) == 0 || missing(old, now)
	default:
		return missing(now, old)
	}
}

// sameOwner tells whether whoever met the old demand meets the new one. Variables are the same by their place in the path.
func (c *comparison) sameOwner(old, now *policy.Owner) bool {
	return old != nil && (old.UnlessScope == "" || old.UnlessScope == now.UnlessScope) &&
		slices.Index(c.old.Template.Variables(), old.Variable) == slices.Index(c.now.Template.Variables(), now.Variable)
}

// bounds finds what may take less time or be less large.
func (c *comparison) bounds() {
	old, now, at := c.old.Policy, c.now.Policy, c.now.Descriptor

	if now.Timeout < old.Timeout {
		c.changedf(in(at, "timeout"), TimeoutShortened, old.Timeout.String(), now.Timeout.String(),
			"has a timeout of %s, not %s", now.Timeout, old.Timeout)
	}

	if c.old.Body != "" && now.MaxBody < old.MaxBody {
		c.changedf(in(at, "max_body_bytes"), BodyLimitTightened,
			strconv.FormatInt(old.MaxBody, 10), strconv.FormatInt(now.MaxBody, 10),
			"takes bodies of %d bytes, not %d", now.MaxBody, old.MaxBody)
	}

	if old.AllowUnknown && !now.AllowUnknown {
		c.changedf(in(at, "allow_unknown_fields"), UnknownFieldsRefused, "true", "false",
			"refuses unknown fields, which it passed over")
	}

	if s, t := old.Stream.IdleTimeout, now.Stream.IdleTimeout; t > 0 && (s == 0 || t < s) && c.old.ServerStream {
		c.changedf(in(at, "stream.idle_timeout"), TimeoutShortened, s.String(), t.String(),
			"ends a stream after a silence of %s", t)
	}
}

// response finds what answers no longer have.
func (c *comparison) response() {
	old, now := c.old.Policy.Response, c.now.Policy.Response
	status := func(r policy.Response) int { return max(r.Status, http.StatusOK) }

	if status(old) != status(now) {
		c.changedf(in(c.now.Descriptor, "response.status"), StatusChanged, strconv.Itoa(status(old)), strconv.Itoa(status(now)),
			"succeeds with %d, not %d", status(now), status(old))
	}

	switch was, is := old.LocationTemplate, now.LocationTemplate; {
	case old.Location == nil:
	case now.Location == nil:
		c.lostf(in(c.old.Descriptor, "response.location"), LocationRemoved, was,
			"answers without the header Location, which was %s", was)
	case numbered(was, c.old.Descriptor.Output()) != numbered(is, c.now.Descriptor.Output()):
		c.changedf(in(c.now.Descriptor, "response.location"), LocationChanged, was, is,
			"answers with the header Location %s, not %s", is, was)
	}

	for i, name := range old.Headers {
		if !slices.Contains(now.Headers, name) {
			at := in(c.old.Descriptor, fmt.Sprintf("response.headers[%d]", i))
			c.lostf(at, ResponseHeaderRemoved, name, "answers without the header %s", name)
		}
	}
}

// bracesOf finds the fields in the template of a Location.
var bracesOf = regexp.MustCompile(`\{[^{}=]+`)

// numbered is a template with the numbers of its fields in place of their names, which clients do not see.
func numbered(template string, message protoreflect.MessageDescriptor) string {
	return bracesOf.ReplaceAllStringFunc(template, func(text string) string {
		path, err := fieldpath.Resolve(message, text[1:])
		if err != nil {
			return text
		}

		return "{" + fmt.Sprint(fieldNumbers(path))
	})
}

// fieldNumbers are those of the fields on a path.
func fieldNumbers(path fieldpath.Path) []protoreflect.FieldNumber {
	out := make([]protoreflect.FieldNumber, 0, len(path))
	for _, field := range path {
		out = append(out, field.Number())
	}

	return out
}

func sameField(a, b fieldpath.Path) bool { return slices.Equal(fieldNumbers(a), fieldNumbers(b)) }

// headers finds request headers that no longer have a meaning, or another one.
func (c *comparison) headers() {
	for i, h := range c.old.Policy.Headers {
		j := slices.IndexFunc(c.now.Policy.Headers, func(n policy.Header) bool { return n.Name == h.Name })
		if j < 0 {
			at := in(c.old.Descriptor, fmt.Sprintf("headers[%d]", i))
			c.lostf(at, RequestHeaderRemoved, h.Name, "passes over the header %s, which set %s", h.Name, h.Field)

			continue
		}

		if now := c.now.Policy.Headers[j]; !sameField(h.Field, now.Field) {
			c.changedf(in(c.now.Descriptor, fmt.Sprintf("headers[%d].field", j)), RequestHeaderChanged,
				h.Field.String(), now.Field.String(), "sets %s from the header %s, not %s", now.Field, h.Name, h.Field)
		}
	}
}

// cache finds answers that may be older than before, or that a write no longer makes obsolete.
func (c *comparison) cache() {
	old, now := c.old.Policy, c.now.Policy

	lost := func(was, is []policy.Tag, field, what string) {
		for i, tag := range was {
			if !slices.ContainsFunc(is, func(t policy.Tag) bool { return t.String() == tag.String() }) {
				at := in(c.old.Descriptor, fmt.Sprintf("cache.%s[%d]", field, i))
				c.lostf(at, CacheLengthened, tag.String(), "%s %s", what, tag)
			}
		}
	}

	lost(old.Invalidates, now.Invalidates, "invalidates", "leaves answers in the cache that bear the tag")

	if now.Cache == nil {
		return
	}

	was := policy.Cache{}
	if old.Cache != nil {
		was = *old.Cache
	}

	for _, d := range []struct {
		field    string
		old, now time.Duration
	}{
		{"ttl", was.TTL, now.Cache.TTL},
		{"stale_while_revalidate", was.StaleWhileRevalidate, now.Cache.StaleWhileRevalidate},
		{"stale_if_error", was.StaleIfError, now.Cache.StaleIfError},
	} {
		if d.now > d.old {
			c.changedf(in(c.now.Descriptor, "cache."+d.field), CacheLengthened, d.old.String(), d.now.String(),
				"may give out an answer for %s (%s), not %s", d.now, d.field, d.old)
		}
	}

	if now.Cache.TTL > 0 {
		lost(was.Tags, now.Cache.Tags, "tags", "keeps answers whatever is written under the tag")
	}
}

func (c *comparison) idempotency() {
	old, now := c.old.Policy.Idempotency, c.now.Policy.Idempotency

	switch at := in(c.now.Descriptor, "idempotency"); {
	case now != nil && now.Required && (old == nil || !old.Required):
		c.changedf(in(c.now.Descriptor, "idempotency.required"), IdempotencyRequired, "optional", "required",
			"refuses requests without the header Idempotency-Key")
	case old != nil && now == nil:
		c.lostf(in(c.old.Descriptor, "idempotency"), IdempotencyWeakened, "kept for "+old.TTL.String(),
			"no longer takes the header Idempotency-Key: what is sent again takes effect again")
	case old != nil && now.TTL < old.TTL:
		c.changedf(at, IdempotencyWeakened, old.TTL.String(), now.TTL.String(),
			"remembers an Idempotency-Key for %s, not %s", now.TTL, old.TTL)
	}
}

func (c *comparison) streams() {
	form := func(e endpoint) string {
		switch {
		case e.ClientStream && e.ServerStream:
			return "a stream for a stream"
		case e.ClientStream:
			return "one answer for a stream"
		case e.ServerStream:
			return "a stream for one request"
		default:
			return "one answer for one request"
		}
	}

	if was, is := form(c.old), form(c.now); was != is {
		c.changedf(protopos.Of(c.now.Descriptor), StreamChanged, was, is, "gives %s, not %s", is, was)

		return
	}

	if old := c.old.Policy.Stream.EventID; old != nil && c.now.Policy.Stream.EventID == nil {
		c.lostf(in(c.old.Descriptor, "stream.event_id"), StreamChanged, old.String(),
			"sends events without an id, which was %s", old)
	} else if is := c.now.Policy.Stream.EventID; old != nil && !sameField(old, is) {
		c.changedf(in(c.now.Descriptor, "stream.event_id"), StreamChanged, old.String(), is.String(),
			"sends events whose id is %s, not %s", is, old)
	}

	if s, t := c.old.Policy.Stream.Heartbeat, c.now.Policy.Stream.Heartbeat; t > s && c.now.ServerStream {
		c.changedf(in(c.now.Descriptor, "stream.heartbeat"), StreamChanged, s.String(), t.String(),
			"is silent for up to %s, not %s", t, s)
	}
}
