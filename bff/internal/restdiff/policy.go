package restdiff

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/protopos"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// in is where a field of the policy stands, given by the names that lead to it.
func in(method protoreflect.MethodDescriptor, names ...protoreflect.Name) protopos.Position {
	return protopos.Policy(method, numbers(names)...)
}

func numbers(names []protoreflect.Name) []int32 {
	message := (&porticov1.MethodPolicy{}).ProtoReflect().Descriptor()
	path := make([]int32, 0, len(names))

	for _, name := range names {
		field := message.Fields().ByName(name)
		path, message = append(path, int32(field.Number())), field.Message()
	}

	return path
}

// access finds callers who might and no longer may.
func (c *comparison) access() {
	old, now := c.old.policy.Access, c.now.policy.Access

	narrowed := func(was, is, why string, where ...protoreflect.Name) {
		c.changedf(in(c.now.Descriptor, append([]protoreflect.Name{"access"}, where...)...), AccessNarrowed, was, is, "%s", why)
	}
	lists := []struct {
		what     string
		old, now []string
		anyOf    bool
		field    protoreflect.Name
	}{
		{"any of the scopes", old.AnyOf, now.AnyOf, true, "scopes"},
		{"all of the scopes", old.AllOf, now.AllOf, false, "scopes"},
		{"any of the roles", old.AnyRole, now.AnyRole, true, "roles"},
		{"all of the roles", old.AllRoles, now.AllRoles, false, "roles"},
	}

	if old.Public && !now.Public {
		narrowed(old.String(), now.String(), "was public and needs "+now.String())

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
		narrowed(old.String(), is, "needs "+is+"; was "+old.String(), "owner")
	}

	if now.Condition != nil && (old.Condition == nil || old.Condition.String() != now.Condition.String()) {
		was := ""
		if old.Condition != nil {
			was = old.Condition.String()
		}

		narrowed(was, now.Condition.String(), "has another condition: "+now.Condition.String(), "condition")
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
	old, now, at := c.old.policy, c.now.policy, c.now.Descriptor

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
		c.changedf(in(at, "stream", "idle_timeout"), TimeoutShortened, s.String(), t.String(),
			"ends a stream after a silence of %s", t)
	}
}

// response finds what answers no longer have.
func (c *comparison) response() {
	old, now := c.old.policy.Response, c.now.policy.Response
	status := func(r policy.Response) int { return max(r.Status, http.StatusOK) }

	if status(old) != status(now) {
		c.changedf(in(c.now.Descriptor, "response", "status"), StatusChanged, strconv.Itoa(status(old)), strconv.Itoa(status(now)),
			"succeeds with %d, not %d", status(now), status(old))
	}

	if old.Location != nil && now.Location == nil {
		location := old.LocationTemplate
		c.lostf(in(c.old.Descriptor, "response", "location"), LocationRemoved, location,
			"answers without the header Location, which was %s", location)
	}

	for i, name := range old.Headers {
		if !slices.Contains(now.Headers, name) {
			at := protopos.Policy(c.old.Descriptor, append(numbers([]protoreflect.Name{"response", "headers"}), int32(i))...)
			c.lostf(at, ResponseHeaderRemoved, name, "answers without the header %s", name)
		}
	}
}

// headers finds request headers that no longer have a meaning.
func (c *comparison) headers() {
	for i, h := range c.old.policy.Headers {
		if !slices.ContainsFunc(c.now.policy.Headers, func(n policy.Header) bool { return n.Name == h.Name }) {
			at := protopos.Policy(c.old.Descriptor, append(numbers([]protoreflect.Name{"headers"}), int32(i))...)
			c.lostf(at, RequestHeaderRemoved, h.Name, "passes over the header %s, which set %s", h.Name, h.Field)
		}
	}
}

func (c *comparison) idempotency() {
	old, now := c.old.policy.Idempotency, c.now.policy.Idempotency

	switch at := in(c.now.Descriptor, "idempotency"); {
	case now != nil && now.Required && (old == nil || !old.Required):
		c.changedf(in(c.now.Descriptor, "idempotency", "required"), IdempotencyRequired, "optional", "required",
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

	if old := c.old.policy.Stream.EventID; old != nil && c.now.policy.Stream.EventID == nil {
		c.lostf(in(c.old.Descriptor, "stream", "event_id"), StreamChanged, old.String(),
			"sends events without an id, which was %s", old)
	}
}
