package gateway

import (
	"context"
	"io"
	"net/http"
	"testing"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/internal/schema"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func TestSafeMethods(t *testing.T) {
	t.Parallel()

	route := func(rpc, method string) Route {
		var r Route

		r.Route = schema.Route{RPC: rpc, Method: method}

		return r
	}
	safe := safeMethods([]Route{
		route("/a.B/Get", http.MethodGet), route("/a.B/Get", http.MethodGet), route("/a.B/Both", http.MethodGet),
		route("/a.B/Both", http.MethodPost), route("/a.B/Both", http.MethodGet), route("/a.B/Post", http.MethodPost),
	})

	for rpc, want := range map[string]bool{
		"/a.B/Get": true, "/a.B/Both": false, "/a.B/Post": false, "/a.B/Unknown": false,
		userv1.UserService_GetUser_FullMethodName: true, userv1.UserService_UpdateUser_FullMethodName: false,
	} {
		if safe[rpc] != want {
			t.Errorf("%s: got %t", rpc, safe[rpc])
		}
	}
}

// Each message of a stream may say that something was written.
func TestStreamsThatWriteAreNoticed(t *testing.T) {
	t.Parallel()

	var written int

	s := tellingStream{ended{}, func() { written++ }}
	for range 2 {
		if err := s.RecvMsg(nil); err != io.EOF { //nolint:errorlint // It is passed on as it is.
			t.Errorf("got %v", err)
		}
	}

	if written != 2 {
		t.Errorf("noticed %d times", written)
	}
}

// ended is a stream that has ended.
type ended struct{ grpc.ClientStream }

func (ended) RecvMsg(any) error { return io.EOF }

func (ended) Context() context.Context { return context.Background() }
