package bff

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
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
	// Limits are the rate limits of the method that legs take tokens from, and Cache how its responses are cached, in words.
	Limits []string
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

// ofReply is the end of a requirement that depends on the content of a reply.
const ofReply = " (as a reply will say)"

// legs finds out what a composite calls for a request, by running it over backends that reply with empty messages: once to see
// what it calls, then once for each leg, which is down then, to see whether the composite fails without it. What it calls only
// because of what is in a reply is not seen. No call leaves the process. The error is the composite's own, if it refuses the
// request.
func (c *Compiled) legs(ctx context.Context, route gateway.Route, request proto.Message, rec *reqinfo.Record) ([]Leg, error) {
	channel, err := c.options.probedChannel()
	if err != nil {
		return nil, err
	}

	as := caller{principal: rec.Principal, selection: rec.Selection}
	if as.principal.Anonymous() {
		// It would not be called for nobody.
		as.principal.Subject = "someone"
	}

	run := func(down string) ([]leg.Call, error) { return probe(ctx, channel, route, request, as, down) }
	calls, err := run("")

	if len(calls) == 0 {
		return nil, err
	}

	guard := leg.New(leg.Config{Methods: c.methods, AuthDisabled: c.config.Auth.Disabled})
	found := make([]Leg, 0, len(calls))

	for _, call := range calls {
		_, without := run(call.RPC)
		one := c.leg(call)
		one.Required = without != nil && err == nil
		one.Access = accessOf(guard.Explain(ctx, &reqinfo.Record{Principal: rec.Principal}, call.RPC, call.Requests))

		found = append(found, one)
	}

	return found, nil
}

// leg is a call with what its policy says of it.
func (c *Compiled) leg(call leg.Call) Leg {
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

	l.Cache = strings.Join(method.Policy.Texts("cache", policy.Style{Long: true}), "; ")

	return l
}

func accessOf(checks []leg.Check) []Check {
	access := make([]Check, 0, len(checks))

	for _, check := range checks {
		shown := Check{Requirement: check.Name, Fault: check.Fault}
		if check.Unknown {
			shown.Requirement += ofReply
		}

		access = append(access, shown)
	}

	return access
}

// probedChannel has the composites, with connections for probes alone.
func (o options) probedChannel() (*inproc.Channel, error) {
	channel := inproc.New(inproc.Config{})

	for _, add := range o.composites {
		err := add(channel, func(name string) (grpc.ClientConnInterface, error) {
			return leg.Conn(notConnected{}, []grpc.UnaryClientInterceptor{leg.ProbeUnary(name)},
				[]grpc.StreamClientInterceptor{leg.ProbeStream(name)}), nil
		})
		if err != nil {
			return nil, err
		}
	}

	return channel, nil
}

// caller is for whom a composite is probed.
type caller struct {
	principal reqinfo.Principal
	// selection are the fields of the response that are asked for. Nil: all.
	selection *reqinfo.Selection
}

// probe runs the composite once and returns what it called. The request is not changed.
func probe(
	ctx context.Context, composites grpc.ClientConnInterface, route gateway.Route, request proto.Message, as caller, down string,
) ([]leg.Call, error) {
	run := &leg.Probe{Down: down}

	ctx, cancel := context.WithTimeout(reqinfo.NewContext(ctx, &reqinfo.Record{
		Principal: as.principal, RPC: route.RPC, Selection: as.selection, Values: run,
	}), probeTime)
	defer cancel()

	output, err := protoregistry.GlobalTypes.FindMessageByName(route.Descriptor.Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("composite: %w", err)
	}

	err = composites.Invoke(ctx, route.RPC, proto.Clone(request), output.New().Interface())

	return run.Calls(), err
}

// notConnected is a connection for composites that call outside of a probe, while they are built or on a context of their own.
type notConnected struct{}

var errNotConnected = status.Error(codes.Unavailable, "there are no connections while a request is explained")

// Invoke implements grpc.ClientConnInterface.
func (notConnected) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	return errNotConnected
}

// NewStream implements grpc.ClientConnInterface.
func (notConnected) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errNotConnected
}
