package sessions_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// described is what a document says of sessions.
type described struct {
	Components struct {
		SecuritySchemes map[string]struct{ Type, In, Name, Description string }
		Responses       map[string]struct{ Description string }
		Schemas         map[string]struct{ Properties map[string]any }
	}
	Paths map[string]map[string]struct {
		Parameters []struct {
			Name, In, Description string
			Required              bool
		}
		Security []map[string][]string
	}
}

// sessionHeader returns how the header is described that changes need.
func (d described) sessionHeader(path, method string) string {
	for _, p := range d.Paths[path][method].Parameters {
		if p.Name == "X-Csrf" && p.In == "header" && !p.Required {
			return p.Description
		}
	}

	return ""
}

func describe(t *testing.T, sessions config.Sessions) described {
	t.Helper()

	document, err := gatewaytest.Compile(t, config.Config{Auth: config.Auth{
		Issuers: []config.Issuer{{Issuer: "https://login.example.com", Audiences: []string{"portico"}}}, Sessions: sessions,
	}}, gatewaytest.WithShelf(), bff.WithDefaultPolicy(&porticov1.MethodPolicy{Access: &porticov1.Access{Authenticated: true}})).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}

	var d described
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}

	return d
}

func TestSessionsAreDescribed(t *testing.T) {
	t.Parallel()

	const get = "/v1/shelves/featured"

	with := describe(t, config.Sessions{
		Issuer: "https://login.example.com", ClientID: "portico", PublicURL: "https://app.example.com", Header: "x-csrf",
	})
	without := describe(t, config.Sessions{})

	scheme := with.Components.SecuritySchemes["browserSession"]
	if scheme.Type != "apiKey" || scheme.In != "cookie" || scheme.Name != sessionCookie {
		t.Errorf("%+v", scheme)
	}

	for _, part := range []string{"/auth/login?return_to=", "/auth/session", "/auth/logout", "`X-Csrf`"} {
		if !strings.Contains(scheme.Description, part) {
			t.Errorf("%s is not in %s", part, scheme.Description)
		}
	}

	alternative := func(security map[string][]string) bool { _, ok := security["browserSession"]; return ok }
	if security := with.Paths[get]["get"].Security; len(security) != 2 || !slices.ContainsFunc(security, alternative) {
		t.Errorf("%v", security)
	}

	if !strings.Contains(with.Components.Responses["Unauthorized"].Description, "`login`") {
		t.Errorf("401: %s", with.Components.Responses["Unauthorized"].Description)
	}

	for _, d := range []described{with, without} {
		if d.Components.Schemas["Problem"].Properties["login"] == nil {
			t.Error("problems have no login")
		}
	}

	changes := 0

	for path, operations := range with.Paths {
		for method := range operations {
			if strings.HasPrefix(method, "x-") {
				continue
			}

			if (with.sessionHeader(path, method) != "") != (method != "get") || without.sessionHeader(path, method) != "" {
				t.Errorf("%s %s: %q, without sessions %q", method, path, with.sessionHeader(path, method), without.sessionHeader(path, method))
			}

			if method != "get" {
				changes++
			}
		}
	}

	if changes == 0 || len(without.Components.SecuritySchemes) != 1 {
		t.Errorf("%d operations change something; schemes without sessions: %v", changes, without.Components.SecuritySchemes)
	}
}
