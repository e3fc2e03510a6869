package leg

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg/probe"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// access is who may call a method. The zero value is anyone.
type access struct {
	checks []auth.Check
	// condition is one on the request message. Nil: there is none.
	condition *condition.Condition
	// variables are the fields that checks and condition look at as path variables.
	variables []policy.Variable
	// owner is the variable that has to be the caller. Empty: none has.
	owner string
}

func newAccess(method *policy.Method, disabled bool) access {
	declared, c := method.Policy.Effective.GetAccess(), method.Policy.Condition
	if disabled || declared == nil {
		return access{}
	}

	a := access{checks: auth.Checks(declared, c), owner: declared.GetOwner().GetVariable()}

	if c != nil && c.NeedsRequest() {
		a.condition = c
	}

	if declared.GetOwner() != nil || c != nil {
		a.variables = method.Variables
	}

	return a
}

// needsRequest reports whether a decision depends on the request message.
func (a access) needsRequest() bool { return a.condition != nil || a.variables != nil || a.owner != "" }

// check refuses a caller that may not call, or not with this request, which may be nil.
func (a access) check(ctx context.Context, rec *reqinfo.Record, request proto.Message) error {
	if a.needsRequest() {
		leg := a.record(rec, request)
		defer release(leg)

		rec = leg
	}

	if err := auth.Permit(ctx, a.checks, rec); err != nil {
		return err
	}

	if a.condition == nil {
		return nil
	}

	return auth.Allow(ctx, a.condition, rec, request)
}

// records are reused: they are not small.
var records = sync.Pool{New: func() any { //nolint:gochecknoglobals // A pool.
	return &reqinfo.Record{}
}}

// record returns a record for the checks: with the caller, and with the fields of the request in place of path variables. A value
// that no path can have is left out, and so belongs to nobody.
func (a access) record(rec *reqinfo.Record, request proto.Message) *reqinfo.Record {
	leg, _ := records.Get().(*reqinfo.Record)
	leg.Principal = rec.Principal

	if request == nil {
		return leg
	}

	for _, v := range a.variables {
		if text := v.Field.Text(request.ProtoReflect()); text != "" && pathtemplate.ValueFault(text) == "" {
			leg.PathParams = append(leg.PathParams, pathtemplate.Value{Name: v.Name, Text: text})
		}
	}

	return leg
}

func release(leg *reqinfo.Record) {
	leg.Principal = reqinfo.Principal{}
	clear(leg.PathParams)
	leg.PathParams = leg.PathParams[:0]
	records.Put(leg)
}

// Check is a requirement of the access policy of a method. Fault is why it is not met, or nil.
type Check struct {
	Name  string
	Fault error
	// Unknown reports that it depends on the content of the reply to another call, which was made up (package probe).
	Unknown bool
	// Condition reports that it is the access condition.
	Condition bool
}

// Explain returns the requirements of a method and whether the caller on the record meets them with all of the requests.
func (g *Guard) Explain(ctx context.Context, rec *reqinfo.Record, rpc string, requests []proto.Message) []Check {
	c := g.of(rpc)
	if c == nil {
		return nil
	}

	if c.err != nil {
		return []Check{{Name: "a policy that can be enforced", Fault: c.err}}
	}

	if len(requests) == 0 {
		// It is a stream that has sent nothing.
		requests = []proto.Message{nil}
	}

	list := make([]Check, 0, len(c.checks)+1)

	for _, check := range c.checks {
		shown := Check{Name: check.Name, Condition: check.Condition}

		c.each(rec, requests, func(leg *reqinfo.Record, request proto.Message) {
			shown.add(check.Fault(ctx, leg), check.Owner && c.madeOwner(leg) || check.Condition && probe.HasMade(request))
		})

		list = append(list, shown)
	}

	if c.condition != nil {
		shown := Check{Name: "if " + c.condition.String(), Condition: true}

		c.each(rec, requests, func(leg *reqinfo.Record, request proto.Message) {
			shown.add(c.condition.Allows(ctx, leg, request), probe.HasMade(request))
		})

		list = append(list, shown)
	}

	return list
}

// add adds the result for one of the requests, which may have looked at what was made up.
func (c *Check) add(fault error, made bool) {
	if fault != nil && made {
		c.Unknown = true
	} else {
		c.Fault = cmp.Or(c.Fault, fault)
	}
}

// madeOwner reports whether the owner is none that a caller or the composite has named.
func (a access) madeOwner(leg *reqinfo.Record) bool {
	owner := slices.IndexFunc(a.variables, func(v policy.Variable) bool { return v.Name == a.owner })

	return owner < 0 || probe.IsMade(a.variables[owner].Field.Last(), leg.PathParams.Get(a.owner))
}

// each calls a function with each of the requests, and the record for its checks.
func (a access) each(rec *reqinfo.Record, requests []proto.Message, check func(leg *reqinfo.Record, request proto.Message)) {
	for _, request := range requests {
		leg := a.record(rec, request)
		check(leg, request)
		release(leg)
	}
}
