package bff

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc"
)

// Leg is a call that a composite makes for a response.
type Leg struct {
	// Upstream is the name of the backend in the configuration.
	Upstream string `json:"upstream"`
	// RPC is the full method, "user.v1.UserService/GetUser".
	RPC string `json:"rpc"`
	// Required reports whether the composite fails without it.
	Required bool `json:"required"`
}

// probeTime bounds one run of a composite. Its backends reply at once.
const probeTime = 2 * time.Second

// errLegDown is the error of the leg that is tried.
var errLegDown = status.Error(codes.Unavailable, "not called")

// legs finds out what a composite calls for a request, by running it over backends that reply with empty messages: once to see
// what it calls, then once for each leg, which is down then, to see whether the composite fails without it. What it calls only
// because of what is in a reply is not seen. No call leaves the process. The error is the composite's own, if it refuses the
// request.
func (o options) legs(ctx context.Context, route gateway.Route, request proto.Message, as reqinfo.Principal) ([]Leg, error) {
	if as.Anonymous() {
		// It would not be called for nobody.
		as.Subject = "someone"
	}

	run := func(down string) ([]Leg, error) {
		ctx, cancel := context.WithTimeout(reqinfo.NewContext(ctx, &reqinfo.Record{Principal: as}), probeTime)
		defer cancel()

		return o.probe(ctx, route, request, down)
	}

	found, err := run("")
	if len(found) == 0 {
		return nil, err
	}

	for i := range found {
		_, without := run(found[i].RPC)
		found[i].Required = without != nil && err == nil
	}

	return found, nil
}

// probe runs the composite once and returns what it called, in order of name.
func (o options) probe(ctx context.Context, route gateway.Route, request proto.Message, down string) ([]Leg, error) {
	channel := inproc.New(nil, nil)
	seen := &probe{down: down}

	for _, add := range o.composites {
		err := add(channel, func(name string) (grpc.ClientConnInterface, error) {
			return probed{probe: seen, upstream: name}, nil
		})
		if err != nil {
			return nil, err
		}
	}

	output, err := protoregistry.GlobalTypes.FindMessageByName(route.Descriptor.Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("composite: %w", err)
	}

	err = channel.Invoke(ctx, route.RPC, proto.Clone(request), output.New().Interface())

	return seen.legs(), err
}

// probe are the calls of one run. Its methods are safe for concurrent use.
type probe struct {
	// down is the RPC that fails.
	down string

	mu     sync.Mutex
	called []Leg
}

func (p *probe) call(upstream, method string) error {
	leg := Leg{Upstream: upstream, RPC: method[1:]}

	p.mu.Lock()
	defer p.mu.Unlock()

	if !slices.Contains(p.called, leg) {
		p.called = append(p.called, leg)
	}

	if leg.RPC == p.down {
		return errLegDown
	}

	return nil
}

// legs are the calls, in order of their names, as they are made at the same time.
func (p *probe) legs() []Leg {
	p.mu.Lock()
	defer p.mu.Unlock()

	return slices.SortedFunc(slices.Values(p.called), func(a, b Leg) int { return strings.Compare(a.RPC, b.RPC) })
}

// probed is a connection to an upstream that accepts every call, replies with an empty message and makes none.
type probed struct {
	probe    *probe
	upstream string
}

// Invoke implements grpc.ClientConnInterface.
func (p probed) Invoke(_ context.Context, method string, _, _ any, _ ...grpc.CallOption) error {
	return p.probe.call(p.upstream, method)
}

// NewStream implements grpc.ClientConnInterface. Streams are recorded and not opened.
func (p probed) NewStream(_ context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	if err := p.probe.call(p.upstream, method); err != nil {
		return nil, err
	}

	return nil, errLegDown
}
