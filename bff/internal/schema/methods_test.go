package schema_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/internal/schema"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func TestLinkedMethod(t *testing.T) {
	t.Parallel()

	for rpc, want := range map[string]bool{
		userv1.UserService_GetUser_FullMethodName: true,
		"user.v1.UserService/GetUser":             true,
		"/user.v1.UserService/GetNobody":          false,
		"/user.v1.User":                           false,
		"":                                        false,
	} {
		method, ok := schema.LinkedMethod(rpc)
		if ok != want || ok && method.FullName() != "user.v1.UserService.GetUser" {
			t.Errorf("%q: got %v, %t", rpc, method, ok)
		}
	}
}
