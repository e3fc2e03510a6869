package protolint

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// conflicts finds routes that match the same paths. The finding is at the later one.
func (l *linter) conflicts() {
	contend := false

	for i, e := range l.endpoints {
		for _, other := range l.endpoints[:i] {
			if err := schema.CheckPair(other.Route, e.Route); err != nil {
				contend = true

				l.find(e.Descriptor, protopos.Route(e.Route), RouteConflict,
					fmt.Sprintf("%v; the other is at %s", err, l.shown(protopos.Route(other.Route))))
			}
		}
	}

	if !contend {
		l.unreachable()
	}
}

// unreachable finds routes that no request reaches.
func (l *linter) unreachable() {
	routes := make([]schema.Route, 0, len(l.endpoints))
	for _, e := range l.endpoints {
		routes = append(routes, e.Route)
	}

	for _, hidden := range schema.UnreachableRoutes(routes) {
		places := make([]string, 0, len(hidden.Others))
		for _, other := range hidden.Others {
			places = append(places, l.shown(protopos.Route(other)).String())
		}

		l.find(hidden.Route.Descriptor, protopos.Route(hidden.Route), RouteConflict,
			fmt.Sprintf("%v; they are at %s", hidden, strings.Join(places, ", ")))
	}
}

// hidden finds routes that no request reaches while the gateway's own pages are on.
func (l *linter) hidden(e endpoint) {
	if hiding := pages.Hiding(pages.Own(), e.Template); len(hiding) > 0 {
		l.find(e.Descriptor, protopos.Route(e.Route), RouteHidden, fmt.Sprintf(
			"%s is the path of a page of the gateway, %s, with which it does not start: choose another path, or switch the page"+
				" off (docs.page, docs.openapi) and ignore this rule here", e, strings.Join(hiding, " and ")))
	}
}

func (l *linter) unexpectedBody(e endpoint) {
	if e.Body != "" && slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodDelete}, e.Method) {
		l.find(e.Descriptor, protopos.Fault(e.BodyFault(nil)), BodyUnexpected, fmt.Sprintf(
			"%s has a body (%q), which clients and proxies drop: leave body out, and fields come from the query", e, e.Body))
	}
}

// retries finds methods whose idempotency_level is not what their HTTP method says.
func (l *linter) retries(e endpoint) {
	reads := slices.Contains([]string{http.MethodGet, http.MethodHead}, e.Method)
	writes := slices.Contains([]string{http.MethodPut, http.MethodPatch, http.MethodDelete}, e.Method)

	switch level := levelOf(e.Descriptor); {
	case level == descriptorpb.MethodOptions_NO_SIDE_EFFECTS && writes:
		l.find(e.Descriptor, protopos.Of(e.Descriptor), RetryUnsafe, fmt.Sprintf(
			"%s says idempotency_level = NO_SIDE_EFFECTS, and so is retried and can be hedged, but %s changes something:"+
				" IDEMPOTENT, or none", e, e.Method))
	case level != descriptorpb.MethodOptions_NO_SIDE_EFFECTS && reads:
		l.find(e.Descriptor, protopos.Of(e.Descriptor), SafeUndeclared, fmt.Sprintf(
			"%s changes nothing, but does not say so: set idempotency_level = NO_SIDE_EFFECTS", e))
	}
}

func levelOf(method protoreflect.MethodDescriptor) descriptorpb.MethodOptions_IdempotencyLevel {
	options, _ := method.Options().(*descriptorpb.MethodOptions)

	return options.GetIdempotencyLevel()
}

// caches finds responses that are shared although they belong, or probably belong, to one caller. Scopes and roles are checked
// before a cached response is returned, so callers who have them may share.
func (l *linter) caches(e endpoint) {
	if e.Policy.Cache == nil || !e.Policy.Cache.Public {
		return
	}

	var why string

	switch a := e.Policy.Effective.GetAccess(); {
	case a.GetPublic() && a.GetCondition() == "":
		return
	case a.GetOwner() != nil:
		why = "belongs to " + a.GetOwner().GetVariable()
	case a.GetCondition() != "":
		why = "is under a condition on the caller"
	case a.GetScopes() == nil && a.GetRoles() == nil:
		why = "is for any authenticated caller, so that the backend may tell them apart"
	default:
		return
	}

	l.find(e.Descriptor, protopos.Policy(e.Descriptor, "cache.scope"), CacheShared, fmt.Sprintf(
		"the response of %s is cached for all callers, but it %s: use CACHE_SCOPE_PRIVATE, or make access public", e, why))
}

// lists finds lists that cannot be read page by page.
func (l *linter) lists(e endpoint) {
	name := string(e.Descriptor.Name())

	lists := strings.HasPrefix(name, "List") || strings.HasPrefix(name, "Search")
	if !lists || e.ServerStream || !hasResources(e.Descriptor.Output()) {
		return
	}

	var missing []string

	want := func(message protoreflect.MessageDescriptor, field protoreflect.Name, kinds ...protoreflect.Kind) {
		found := message.Fields().ByName(field)
		if found == nil || found.IsList() || !slices.Contains(kinds, found.Kind()) {
			missing = append(missing, fmt.Sprintf("%s of %s", field, message.Name()))
		}
	}
	want(e.Descriptor.Input(), "page_size", protoreflect.Int32Kind, protoreflect.Uint32Kind)
	want(e.Descriptor.Input(), "page_token", protoreflect.StringKind)
	want(e.Descriptor.Output(), "next_page_token", protoreflect.StringKind)

	if len(missing) > 0 {
		l.find(e.Descriptor, protopos.Of(e.Descriptor), ListUnpaged, fmt.Sprintf(
			"%s returns a list without pages: add %s", e, strings.Join(missing, ", ")))
	}
}

// hasResources reports whether a message has a list of messages. Google's own, such as ListValue and HttpBody, have no pages.
func hasResources(message protoreflect.MessageDescriptor) bool {
	if slices.Contains([]protoreflect.FullName{"google.protobuf", "google.api", "google.rpc"}, message.ParentFile().Package()) {
		return false
	}

	for i := range message.Fields().Len() {
		if field := message.Fields().Get(i); field.IsList() && field.Message() != nil {
			return true
		}
	}

	return false
}

// locations finds headers Location that lead nowhere.
func (l *linter) locations(e endpoint) {
	if e.Policy.Location == nil {
		return
	}

	location := e.Policy.Effective.GetResponse().GetLocation()

	template, err := pathtemplate.Parse(location)
	if err != nil {
		return
	}

	if !slices.ContainsFunc(l.endpoints, func(other endpoint) bool {
		return other.Method == http.MethodGet &&
			(policy.LeadsTo(location, other.Template.String()) || other.Template.Match(template.Example()))
	}) {
		l.find(e.Descriptor, protopos.Policy(e.Descriptor, "response.location"), LocationUnrouted, fmt.Sprintf(
			"%s responds with the Location %s, but there is no such GET route", e, location))
	}
}
