// Package restdiff compares two versions of the .proto files of an API as a REST client sees them, and finds what would break it:
// removed routes, new requirements, stricter limits, responses of another type. Every change has a position.
//
// It does not find what breaks only gRPC clients (numbers, packages, names of messages); buf breaking does.
package restdiff

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// The names of the rules. Those of most policy fields are in the policy table.
const (
	RouteRemoved         = "ROUTE_REMOVED"
	RouteChanged         = "ROUTE_CHANGED"
	AccessNarrowed       = "ACCESS_NARROWED"
	RateLimitTightened   = "RATE_LIMIT_TIGHTENED"
	LocationRemoved      = "LOCATION_REMOVED"
	LocationChanged      = "LOCATION_CHANGED"
	RequestHeaderRemoved = "REQUEST_HEADER_REMOVED"
	RequestHeaderChanged = "REQUEST_HEADER_CHANGED"
	StreamChanged        = "STREAM_CHANGED"
	BodyChanged          = "BODY_CHANGED"
	ResponseBodyChanged  = "RESPONSE_BODY_CHANGED"
	RequestFieldRemoved  = "REQUEST_FIELD_REMOVED"
	RequestFieldRenamed  = "REQUEST_FIELD_RENAMED"
	RequestFieldType     = "REQUEST_FIELD_TYPE_CHANGED"
	RequestFieldRequired = "REQUEST_FIELD_REQUIRED"
	RequestRuleTightened = "REQUEST_RULE_TIGHTENED"
	RequestFieldOneof    = "REQUEST_FIELD_INTO_ONEOF"
	ResponseFieldRemoved = "RESPONSE_FIELD_REMOVED"
	ResponseFieldRenamed = "RESPONSE_FIELD_RENAMED"
	ResponseFieldType    = "RESPONSE_FIELD_TYPE_CHANGED"
	EnumValueRemoved     = "ENUM_VALUE_REMOVED"
	EnumValueRenamed     = "ENUM_VALUE_RENAMED"
)

// Change is something that breaks clients, and where it is.
type Change struct {
	protopos.Position

	// Removed is set if the position is in the old files, as what was there is gone.
	Removed bool `json:"removed,omitempty"`
	// Rule is the name of the kind of change.
	Rule string `json:"rule"`
	// Message says what changed.
	Message string `json:"message"`
	// Old and New are both values, as far as there are any.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Routes are the routes that it breaks, "GET /v1/users/{user_id}", as the old files have them.
	Routes []string `json:"routes"`
}

// Version is an API as it was or is.
type Version struct {
	// Files need source information for positions.
	Files []protoreflect.FileDescriptor
	// Rules are those of routes that are not in the files.
	Rules schema.Rules
}

// Compare returns what breaks clients of the old version when the new one is served, by position, the removed first. The error says
// which routes and policies no gateway would serve.
func Compare(before, after Version) ([]Change, error) {
	olds, errOld := endpoints(before)
	news, errNew := endpoints(after)

	if errOld != nil {
		errOld = fmt.Errorf("the old files: %w", errOld)
	}

	requiredOld, errRequiredOld := newRequirements()
	requiredNow, errRequiredNow := newRequirements()

	if err := errors.Join(errOld, errNew, errRequiredOld, errRequiredNow); err != nil {
		return nil, err
	}

	var all []Change

	for _, old := range olds {
		c := comparison{old: old, requiredOld: requiredOld, requiredNow: requiredNow}

		if i := slices.IndexFunc(news, old.sameRequests); i < 0 {
			c.gone(olds, news)
		} else {
			c.now = news[i]
			c.compare()
		}

		all = append(all, c.changes...)
	}

	return merge(all), nil
}

// merge makes one change of those that differ in their routes alone, and sorts.
func merge(all []Change) []Change {
	var out []Change

	for _, change := range all {
		i := slices.IndexFunc(out, func(c Change) bool {
			return c.Position == change.Position && c.Removed == change.Removed && c.Rule == change.Rule &&
				c.Message == change.Message
		})
		if i < 0 {
			out = append(out, change)
		} else if !slices.Contains(out[i].Routes, change.Routes[0]) {
			out[i].Routes = append(out[i].Routes, change.Routes...)
		}
	}

	slices.SortStableFunc(out, func(a, b Change) int {
		switch {
		case a.Removed && !b.Removed:
			return -1
		case b.Removed && !a.Removed:
			return 1
		}

		return cmp.Or(a.Compare(b.Position), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Message, b.Message))
	})

	return out
}

// endpoint is a route with its policy.
type endpoint struct{ policy.Endpoint }

func endpoints(version Version) ([]endpoint, error) {
	usual := config.Config{}.WithDefaults()
	defaults := policy.Defaults{
		Timeout: usual.Server.RequestTimeout, MaxBody: usual.Limits.MaxBodyBytes,
		// Who may call where no option says it is up to the program that embeds the gateway, before and after.
		Policy: &porticov1.MethodPolicy{Access: &porticov1.Access{Authenticated: true}},
	}
	api := policy.Read(policy.Services(version.Files), version.Rules,
		func(protoreflect.FullName) policy.Defaults { return defaults })

	var faults []error

	for _, fault := range api.RouteFaults {
		faults = append(faults, fmt.Errorf("%s: %w", protopos.Fault(fault), fault))
	}

	for _, fault := range api.Faults {
		if !fault.Route.Bound() {
			continue // REST clients cannot call it.
		}

		faults = append(faults, fmt.Errorf("%s: %s: %w", protopos.Policy(fault.Route.Descriptor, fault.Field), fault.Route, fault))
	}

	out := make([]endpoint, 0, len(api.Endpoints))
	for _, e := range api.Endpoints {
		out = append(out, endpoint{e})
	}

	return out, errors.Join(append(faults, schema.UnknownRules(version.Rules, schema.MethodsOf(version.Files)))...)
}

// sameRequests reports whether requests of one endpoint reach the other. Names of path variables are not for clients.
func (e endpoint) sameRequests(other endpoint) bool {
	return e.Method == other.Method && pathtemplate.Relate(e.Template, other.Template) == pathtemplate.Equal
}

// comparison is that of one old route with what is there now.
type comparison struct {
	old, now endpoint
	changes  []Change
	// requiredOld and requiredNow know which fields messages require.
	requiredOld, requiredNow requirements
}

// changedf adds a change with a position in the new files, lostf one with a position in the old files.
func (c *comparison) changedf(at protopos.Position, rule, old, now, format string, args ...any) {
	c.changes = append(c.changes, Change{
		Position: at, Rule: rule, Message: fmt.Sprintf(format, args...), Old: old, New: now, Routes: []string{c.old.String()},
	})
}

func (c *comparison) lostf(at protopos.Position, rule, old, format string, args ...any) {
	c.changedf(at, rule, old, "", format, args...)
	c.changes[len(c.changes)-1].Removed = true
}

// gone adds the change of a route that no requests reach any more.
func (c *comparison) gone(olds, news []endpoint) {
	var moved []endpoint

	for _, e := range news {
		if e.RPC == c.old.RPC && !slices.ContainsFunc(olds, e.sameRequests) {
			moved = append(moved, e)
		}
	}

	if len(moved) == 0 {
		c.lostf(protopos.Route(c.old.Route), RouteRemoved, c.old.String(), "%s is gone (%s)", c.old, c.old.RPC[1:])

		return
	}

	names := make([]string, 0, len(moved))
	for _, e := range moved {
		names = append(names, e.String())
	}

	now := strings.Join(names, ", ")
	c.changedf(protopos.Route(moved[0].Route), RouteChanged, c.old.String(), now,
		"%s is now %s (%s)", c.old, now, c.old.RPC[1:])
}

func (c *comparison) compare() {
	c.policies()
	c.requests()
	c.responses()
}
