package caller_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
)

func TestIdentityTravels(t *testing.T) {
	t.Parallel()

	want := caller.Caller{Subject: "alice", Scopes: []string{"a", "b"}, RequestID: "r1"}
	// What was there before is replaced, not added to.
	ctx := metadata.AppendToOutgoingContext(t.Context(), caller.SubjectKey, "mallory", "other", "kept")
	sent, _ := metadata.FromOutgoingContext(caller.Outgoing(ctx, want))

	if diff := cmp.Diff(want, caller.From(metadata.NewIncomingContext(t.Context(), sent))); diff != "" {
		t.Errorf("identity (-sent +received):\n%s", diff)
	}

	if diff := cmp.Diff([]string{"kept"}, sent.Get("other")); diff != "" {
		t.Errorf("other metadata:\n%s", diff)
	}
}

func TestTwoSubjectsAreNone(t *testing.T) {
	t.Parallel()

	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(caller.SubjectKey, "alice", caller.SubjectKey, "bob"))
	if got := caller.From(ctx).Subject; got != "" {
		t.Errorf("the subject is %q", got)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		caller caller.Caller
		want   codes.Code
	}{
		"owner":           {caller.Caller{Subject: "bob"}, codes.OK},
		"staff":           {caller.Caller{Subject: "x", Scopes: []string{"orders:admin"}}, codes.OK},
		"service":         {caller.Service("payment", "orders:admin"), codes.OK},
		"other_scope":     {caller.Caller{Subject: "x", Scopes: []string{"orders:administrator"}}, codes.PermissionDenied},
		"stranger":        {caller.Caller{Subject: "alice"}, codes.PermissionDenied},
		"nobody":          {caller.Caller{}, codes.Unauthenticated},
		"nobody_scoped":   {caller.Caller{Scopes: []string{"orders:admin"}}, codes.Unauthenticated},
		"service_named":   {caller.Service("bob"), codes.PermissionDenied},
		"owner_uppercase": {caller.Caller{Subject: "Bob"}, codes.PermissionDenied},
	}
	for name, test := range tests {
		err := test.caller.RequireOwner("bob", "orders:admin", "order")
		if got := fault.Status(err).Code(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}

	if (caller.Caller{}).MayActFor("", "s") {
		t.Error("nobody may act for nobody")
	}
}
