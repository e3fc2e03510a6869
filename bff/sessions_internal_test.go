package bff

import (
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/policy"
)

// A backend that knew the cookie of a session could call as its user.
func TestSessionsStayAtTheGateway(t *testing.T) {
	t.Parallel()

	for header, want := range map[string]bool{"Cookie": true, "X-Account": false} {
		for issuer, on := range map[string]bool{"https://login.example.com": true, "": false} {
			route := gateway.Route{}
			route.RPC, route.Policy.Headers = "/a.B/C", []policy.Header{{Name: header}}
			c := &Compiled{
				config: config.Config{Auth: config.Auth{Sessions: config.Sessions{Issuer: issuer}}}, routes: []gateway.Route{route},
			}

			var faults optionFaults
			if c.checkSessionCookie(&faults); (faults.join() != nil) != (want && on) {
				t.Errorf("%s, sessions %t: %v", header, on, faults.join())
			}
		}
	}
}
