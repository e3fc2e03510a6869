package bff

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg/probe"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc"
)

// Leg is a call that a composite makes for a response.
type Leg struct {
	// Upstream is the name of the backend in the configuration.
	Upstream string
	// RPC is the full method, "user.v1.UserService/GetUser".
	RPC string
	// Required reports whether the composite fails without it.
	Required bool
	// Access are the requirements of the access policy of the method, and whether the caller meets them.
	Access []Check
	// Limits are the rate limits of the method that legs take tokens from, Batch how calls for many items become one, and Cache how
	// its responses are cached, in words.
	Limits []string
	Batch  string
	Cache  string
}

// Refused returns the first requirement that the caller does not meet, if there is one.
func (l Leg) Refused() (Check, bool) {
	for _, check := range l.Access {
		if check.Fault != nil {
			return check, true
		}
	}

	return Check{}, false
}

// probeTime bounds one run of a composite. Its backends reply at once.
const probeTime = 2 * time.Second

// legs finds out what a composite calls for a request, by running it over connections that make up the replies: to see what it
// calls, once with replies of each kind, then once for each leg, which is down then, to see whether the composite fails without it.
// No call leaves the process. The error is the composite's own, if it fails with all kinds of replies; there may be more legs then.
func (c *Compiled) legs(ctx context.Context, route gateway.Route, request proto.Message, rec *reqinfo.Record) ([]Leg, error) {
	channel, err := c.options.probedChannel(func(upstream string) (grpc.ClientConnInterface, error) {
		return probe.Conn(upstream), nil
	})
	if err != nil {
		return nil, err
	}

	p := probing{composites: channel, route: route, request: request, principal: rec.Principal, selection: rec.Selection}
	if p.principal.Anonymous() {
		// It would not be called for nobody.
		p.principal.Subject = probedSubject
	}

	var (
		runs = p.all(ctx)
		// whole are those without an error.
		whole = slices.DeleteFunc(slices.Clone(runs), func(r probed) bool { return r.err != nil })
		guard = leg.New(leg.Config{Methods: c.methods, AuthDisabled: c.config.Auth.Disabled})
		found []Leg
	)

	for _, call := range callsOf(runs) {
		one := c.leg(call)
		one.Access = accessOf(guard.Explain(ctx, &reqinfo.Record{Principal: rec.Principal}, call.RPC, call.Requests))

		if with := slices.IndexFunc(whole, func(r probed) bool { return r.called(call) }); with >= 0 {
			one.Required = p.run(ctx, whole[with].replies, call.RPC).err != nil
		}

		found = append(found, one)
	}

	if len(whole) == 0 {
		return found, runs[0].err
	}

	return found, nil
}

// leg is a call with what its policy says of it.
func (c *Compiled) leg(call probe.Call) Leg {
	l := Leg{Upstream: call.Upstream, RPC: strings.TrimPrefix(call.RPC, "/")}

	method := c.methods[call.RPC]
	if method == nil || method.Err != nil {
		return l
	}

	for _, declared := range method.Policy.Effective.GetRateLimits() {
		if declared.GetLegs() {
			l.Limits = append(l.Limits, policy.Text("rate_limits", declared.ProtoReflect(), policy.Style{Long: true}))
		}
	}

	l.Batch = strings.Join(method.Policy.Texts("batch", policy.Style{Long: true}), "; ")
	l.Cache = strings.Join(method.Policy.Texts("cache", policy.Style{Long: true}), "; ")

	return l
}

func accessOf(checks []leg.Check) []Check {
	access := make([]Check, 0, len(checks))

	for _, check := range checks {
		access = append(access, Check{
			Requirement: check.Name, Fault: check.Fault, Unknown: check.Unknown && check.Fault == nil,
		})
	}

	return access
}

// probedChannel has composites that are made for probes alone, with connections that call nothing.
func (o options) probedChannel(connect Connect) (channel *inproc.Channel, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("make the composites: panic: %v", value)
		}
	}()

	channel = inproc.New(inproc.Config{})

	return channel, o.register(channel, connect)
}

// probing is how a method of a composite is run to see what it calls.
type probing struct {
	composites grpc.ClientConnInterface
	route      gateway.Route
	request    proto.Message
	principal  reqinfo.Principal
	// selection are the fields of the response that are asked for. Nil: all.
	selection *reqinfo.Selection
}

// probed is what a run has shown. The error is the composite's.
type probed struct {
	replies probe.Replies
	calls   []probe.Call
	err     error
}

func (p probed) called(call probe.Call) bool {
	return slices.ContainsFunc(p.calls, func(c probe.Call) bool { return c.RPC == call.RPC && c.Upstream == call.Upstream })
}

// callsOf returns the calls of all runs, in order of the names. The requests are those of the first run that has made the call: in
// the first of all, values from replies can be recognized.
func callsOf(runs []probed) []probe.Call {
	var calls []probe.Call

	for i, run := range runs {
		for _, call := range run.calls {
			if !slices.ContainsFunc(runs[:i], func(earlier probed) bool { return earlier.called(call) }) {
				calls = append(calls, call)
			}
		}
	}

	slices.SortStableFunc(calls, func(a, b probe.Call) int { return strings.Compare(a.RPC, b.RPC) })

	return calls
}

// all runs the composite with each kind of replies.
func (p probing) all(ctx context.Context) []probed {
	return []probed{p.run(ctx, probe.Made, ""), p.run(ctx, probe.Plausible, ""), p.run(ctx, probe.Empty, "")}
}

// run runs the composite once. The request is not changed.
func (p probing) run(ctx context.Context, replies probe.Replies, down string) probed {
	run := &probe.Run{Down: down, Replies: replies, Request: p.request, Subject: p.principal.Subject}

	ctx, cancel := context.WithTimeout(reqinfo.NewContext(ctx, &reqinfo.Record{
		Principal: p.principal, RPC: p.route.RPC, Selection: p.selection, Values: run,
	}), probeTime)
	defer cancel()

	output, err := protoregistry.GlobalTypes.FindMessageByName(p.route.Descriptor.Output().FullName())
	if err != nil {
		return probed{replies: replies, err: fmt.Errorf("composite: %w", err)}
	}

	err = p.composites.Invoke(ctx, p.route.RPC, proto.Clone(p.request), output.New().Interface())

	return probed{replies: replies, calls: run.Calls(), err: err}
}
