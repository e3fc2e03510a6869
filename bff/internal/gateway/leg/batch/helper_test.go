package batch_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/gateway/leg/batch"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
)

// shop has a method for one item with a key, one with whole requests, and one whose items do not show which they are.
const shop = `syntax = "proto3"; package batchtest.v1;
import "portico/v1/policy.proto";
message Item { string id = 1; string text = 2; }
message Plain { string text = 1; }
message GetRequest { string parent = 1; string id = 2; string view = 3; }
message GetManyRequest { repeated string ids = 1; string parent = 7; }
message GetManyResponse { int32 count = 1; repeated Item items = 2; }
message AskManyRequest { string parent = 1; repeated GetRequest requests = 2; }
message GetPlainRequest { int32 n = 1; }
message GetPlainsRequest { repeated int32 ns = 1; }
message GetPlainsResponse { repeated Plain plains = 1; }
service Shop {
  rpc Get(GetRequest) returns (Item) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (portico.v1.policy) = {batch: {method: "GetMany" max_size: 50}};
  }
  rpc GetMany(GetManyRequest) returns (GetManyResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Ask(GetRequest) returns (Item) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (portico.v1.policy) = {batch: {method: "AskMany"}};
  }
  rpc AskMany(AskManyRequest) returns (GetManyResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc GetPlain(GetPlainRequest) returns (Plain) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (portico.v1.policy) = {batch: {method: "GetPlains"}};
  }
  rpc GetPlains(GetPlainsRequest) returns (GetPlainsResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Read(GetRequest) returns (Item) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Write(GetRequest) returns (Item);
}`

func TestMain(m *testing.M) {
	files, err := protosource.Tree{"batchtest.proto": []byte(shop)}.Compile(context.Background())
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(files[0])
	}

	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	os.Exit(m.Run())
}

// message is one of the shop, with texts in its fields.
func message(name protoreflect.Name, set map[protoreflect.Name]string) *dynamicpb.Message {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName("batchtest.v1").Append(name))
	if err != nil {
		panic(err)
	}

	described, _ := found.(protoreflect.MessageDescriptor)
	m := dynamicpb.NewMessage(described)

	for field, text := range set {
		m.Set(described.Fields().ByName(field), protoreflect.ValueOfString(text))
	}

	return m
}

func text(m proto.Message, field protoreflect.Name) string {
	r := m.ProtoReflect()

	return r.Get(r.Descriptor().Fields().ByName(field)).String()
}

// backend serves the shop below the interceptor. An item has its id as text; "none" is not there.
type backend struct {
	intercept grpc.UnaryClientInterceptor
	// delay is how long a call takes.
	delay time.Duration
	// fail is what a call ends with. The names are those of calls, and of methods.
	fail map[string]error
	// reply changes the items of a reply.
	reply func(items []*dynamicpb.Message) []*dynamicpb.Message

	mu    sync.Mutex
	calls []string
	// ended is why the contexts of calls have ended before their delay.
	ended []error
}

func newBackend() *backend {
	return &backend{intercept: batch.Unary(0), delay: time.Second, fail: map[string]error{}}
}

// made are the calls so far, in order of their names, and forgets them.
func (b *backend) made() []string {
	b.mu.Lock()
	defer b.mu.Unlock()

	made := slices.Sorted(slices.Values(b.calls))
	b.calls = nil

	return made
}

// call is what a client does.
func (b *backend) call(ctx context.Context, method string, req, reply proto.Message, opts ...grpc.CallOption) error {
	return b.intercept(ctx, "/batchtest.v1.Shop/"+method, req, reply, nil, b.serve, opts...)
}

// get asks for an item and returns its text.
func (b *backend) get(ctx context.Context, method, id string) (string, error) {
	reply := message("Item", nil)
	err := b.call(ctx, method, message("GetRequest", map[protoreflect.Name]string{"id": id}), reply)

	return text(reply, "text"), err
}

func (b *backend) serve(ctx context.Context, rpc string, req, reply any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
	request, _ := req.(proto.Message)
	response, _ := reply.(proto.Message)
	method := rpc[strings.LastIndexByte(rpc, '/')+1:]
	ids, parent := idsOf(request.ProtoReflect())
	call := strings.TrimSuffix(method+" "+parent+"/"+strings.Join(ids, ","), "/")

	b.mu.Lock()
	b.calls = append(b.calls, call)
	b.mu.Unlock()

	select {
	case <-time.After(b.delay):
	case <-ctx.Done():
		b.mu.Lock()
		b.ended = append(b.ended, ctx.Err())
		b.mu.Unlock()

		return status.FromContextError(ctx.Err()).Err()
	}

	for _, name := range []string{call, method} {
		if err := b.fail[name]; err != nil {
			return err
		}
	}

	if slices.Contains(ids, "none") {
		return status.Error(codes.NotFound, "there is no such item")
	}

	answer := b.answer(response.ProtoReflect().Descriptor(), ids)
	if !passthrough.In(opts) {
		proto.Merge(response, answer)

		return nil
	}

	raw, err := proto.Marshal(answer)
	response.ProtoReflect().SetUnknown(raw)

	return err
}

// idsOf are those of the items that a request is for.
func idsOf(request protoreflect.Message) (ids []string, parent string) {
	request.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch name := field.Name(); {
		case name == "parent":
			parent = value.String()
		case name == "requests":
			for i := range value.List().Len() {
				own, of := idsOf(value.List().Get(i).Message())
				ids, parent = append(ids, own...), of
			}
		case field.IsList():
			for i := range value.List().Len() {
				ids = append(ids, value.List().Get(i).String())
			}
		case name == "id" || name == "n":
			ids = append(ids, value.String())
		}

		return true
	})

	return ids, parent
}

// answer is the response of a type for ids.
func (b *backend) answer(described protoreflect.MessageDescriptor, ids []string) proto.Message {
	out := dynamicpb.NewMessage(described)

	var list protoreflect.FieldDescriptor

	for i := range described.Fields().Len() {
		if described.Fields().Get(i).IsList() {
			list = described.Fields().Get(i)
		}
	}

	if list == nil {
		fill(out, strings.Join(ids, ","))

		return out
	}

	items := make([]*dynamicpb.Message, 0, len(ids))

	for _, id := range ids {
		items = append(items, dynamicpb.NewMessage(list.Message()))
		fill(items[len(items)-1], id)
	}

	if b.reply != nil {
		items = b.reply(items)
	}

	for _, item := range items {
		out.Mutable(list).List().Append(protoreflect.ValueOfMessage(item))
	}

	return out
}

func fill(m *dynamicpb.Message, id string) {
	for _, name := range []protoreflect.Name{"id", "text"} {
		if field := m.Descriptor().Fields().ByName(name); field != nil {
			m.Set(field, protoreflect.ValueOfString(id))
		}
	}
}

// open begins a scope that ends with the test, and must count one goroutine then.
func open(t *testing.T, stream bool) context.Context {
	t.Helper()

	ctx, s := scope.Open(t.Context(), stream)

	t.Cleanup(func() {
		if n := s.Active(); n != 1 {
			t.Errorf("%d goroutines count in the end", n)
		}

		s.Close()
	})

	return ctx
}
