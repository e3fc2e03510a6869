package probe_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/gateway/leg/probe"
	"github.com/portico-gateway/portico/bff/internal/schema"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// every is a reply of a type that has fields of all types, and itself in lists, maps and fields.
func every(t *testing.T, replies probe.Replies) *everyv1.Every {
	t.Helper()

	reply := &everyv1.Every{}
	if err := probe.Conn("every").Invoke(in(t, &probe.Run{Replies: replies, Subject: "alice"}), "/every.v1.EveryService/Echo",
		&everyv1.Every{}, reply); err != nil {
		t.Fatal(err)
	}

	return reply
}

func TestRepliesOfEveryType(t *testing.T) {
	t.Parallel()

	for _, replies := range []probe.Replies{probe.Made, probe.Plausible} {
		reply := every(t, replies)
		m := reply.ProtoReflect()

		for field := range schema.All(m.Descriptor().Fields()) {
			oneof := field.ContainingOneof()
			alternative := oneof != nil && !oneof.IsSynthetic() && m.WhichOneof(oneof) != nil
			// False is not to be seen, and null is the only value of its type.
			unseen := field.Kind() == protoreflect.BoolKind && replies == probe.Plausible || field.Name() == "null_value"

			if !m.Has(field) && !alternative && !unseen {
				t.Errorf("%d: %s is not set", replies, field.Name())
			}

			if field.IsList() && m.Get(field).List().Len() != 1 || field.IsMap() && m.Get(field).Map().Len() != 1 {
				t.Errorf("%d: %s is %v", replies, field.Name(), m.Get(field))
			}
		}

		if !proto.Equal(reply, every(t, replies)) {
			t.Errorf("%d: the next one is another", replies)
		}

		// As deep as its own type allows, it would have no end; as wide, it would not fit.
		if size := proto.Size(reply); size > 1<<20 {
			t.Errorf("%d: %d bytes", replies, size)
		}

		if got := depth(reply); got > 8 {
			t.Errorf("%d: %d messages in each other", replies, got)
		}
	}
}

func depth(m *everyv1.Every) int {
	if m == nil {
		return 0
	}

	return 1 + depth(m.GetEvery())
}

func TestFill(t *testing.T) {
	t.Parallel()

	request := &notificationv1.ListNotificationsRequest{UserId: "alice"}
	probe.Fill(request)

	if !proto.Equal(request, &notificationv1.ListNotificationsRequest{UserId: "alice", UnreadOnly: true, OrderId: "made-up-value"}) {
		t.Errorf("%v", request)
	}

	if !probe.HasMade(request) || probe.HasMade(&orderv1.ListOrdersRequest{UserId: "alice"}) || probe.HasMade(nil) {
		t.Error("what was made up is not recognized")
	}
}

func TestIsMade(t *testing.T) {
	t.Parallel()

	fields := (&orderv1.Order{}).ProtoReflect().Descriptor().Fields()

	for _, row := range []struct {
		field protoreflect.Name
		text  string
		want  bool
	}{
		{"user_id", "", true},
		{"user_id", "users/made-up-value", true},
		{"user_id", "1", false},
		{"user_id", "alice", false},
		{"total_quantity", "0", true},
		{"total_quantity", "1", true},
		{"total_quantity", "42", false},
	} {
		if got := probe.IsMade(fields.ByName(row.field), row.text); got != row.want {
			t.Errorf("%s %q: %t", row.field, row.text, got)
		}
	}
}

// BenchmarkFill is what a message costs that is as large as they become.
func BenchmarkFill(b *testing.B) {
	for b.Loop() {
		probe.Fill(&everyv1.Every{})
	}
}
