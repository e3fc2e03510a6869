package leg_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
)

// callee is a service whose method M has a policy, and a guard for calls to it.
type callee struct {
	*leg.Guard

	input protoreflect.MessageDescriptor
	// called has the requests that were let through.
	called []proto.Message
	left   time.Duration
}

const methodM = "/test.v1.Things/M"

// guard makes one. The policy is that of a method with a route that binds user_id.
func guard(t *testing.T, set string, change func(*leg.Config)) *callee {
	t.Helper()

	return guardOf(t, `rpc M(Thing) returns (Thing) {
		option (google.api.http) = {get: "/v1/{user_id}/things"};
		option (portico.v1.policy) = {`+set+`};
	}`, change)
}

func guardOf(t *testing.T, service string, change func(*leg.Config)) *callee {
	t.Helper()

	files, err := protosource.Tree{"m.proto": []byte(`syntax = "proto3";
package test.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "portico/v1/policy.proto";
message Thing { string user_id = 1; int32 count = 2 [(buf.validate.field).int32.lte = 50]; }
service Things { ` + service + ` }
`)}.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	api := policy.Read(policy.Services(files), nil, func(protoreflect.FullName) policy.Defaults {
		return policy.Defaults{Timeout: time.Minute}
	})
	if err := policy.Error(api.Faults); err != nil {
		t.Fatal(err)
	}

	config := leg.Config{Methods: api.Methods(), Limiter: limit.New(100)}
	if change != nil {
		change(&config)
	}

	return &callee{Guard: leg.New(config), input: files[0].Messages().Get(0)}
}

// thing is a request.
func (c *callee) thing(userID string, count int32) proto.Message {
	m := dynamicpb.NewMessage(c.input)
	m.Set(c.input.Fields().ByName("user_id"), protoreflect.ValueOfString(userID))
	m.Set(c.input.Fields().ByName("count"), protoreflect.ValueOfInt32(count))

	return m
}

// call calls the method as somebody.
func (c *callee) call(ctx context.Context, as reqinfo.Principal, request proto.Message) error {
	ctx = reqinfo.NewContext(ctx, &reqinfo.Record{Principal: as, PathParams: pathtemplate.Values{{Name: "user_id", Text: "of_the_composite"}}})

	made := func(ctx context.Context, _ string, req, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
		if message, ok := req.(proto.Message); ok {
			c.called = append(c.called, message)
		}

		if deadline, ok := ctx.Deadline(); ok {
			c.left = time.Until(deadline)
		}

		return nil
	}

	return c.Unary(ctx, methodM, request, nil, nil,
		func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
			return c.Timeout(ctx, method, req, reply, cc, made, opts...)
		})
}

func alice(scopes ...string) reqinfo.Principal {
	return reqinfo.Principal{Subject: "alice", Scopes: scopes}
}
