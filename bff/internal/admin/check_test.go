package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/admin"
)

const issuer = "for the keys of the issuer https://login.internal.example"

// sets are checks, with what their listeners respond.
var sets = map[string]struct {
	checks []admin.Check
	status int
	// operators and others are the bodies of /readyz, and verbose that of /readyz?verbose.
	operators, others, verbose string
}{
	"all_is_well": {
		[]admin.Check{fine("serving", true), fine("upstream:order", false)},
		200, "ok\n", "ok\n",
		"[+]serving ok\n[+]upstream:order ok\nreadyz check passed\n",
	},
	"a_backend_is_down": {
		[]admin.Check{fine("serving", true), check("upstream:order", false, "unavailable", "10.0.0.1:9000 is failing")},
		200,
		"ok\n", "ok\n", "[+]serving ok\n[!]upstream:order unavailable 10.0.0.1:9000 is failing\nreadyz check passed\n",
	},
	"it_drains": {
		[]admin.Check{check("serving", true, "draining", ""), fine("keys", true)},
		503, "draining\n", "draining\n",
		"[-]serving draining\n[+]keys ok\nreadyz check failed\n",
	},
	"keys_are_missing": {
		[]admin.Check{fine("serving", true), check("keys", true, "waiting", issuer)},
		503, "waiting " + issuer + "\n", "waiting\n",
		"[+]serving ok\n[-]keys waiting " + issuer + "\nreadyz check failed\n",
	},
	"several_fail": {
		[]admin.Check{check("a", true, "waiting", "for x"), check("b", true, "waiting", "for y")},
		503,
		"waiting for x\nwaiting for y\n", "waiting\n", "[-]a waiting for x\n[-]b waiting for y\nreadyz check failed\n",
	},
	"detail_of_what_is_well": {
		[]admin.Check{check("configuration", false, admin.OK, "sha256:12ab")},
		200, "ok\n", "ok\n",
		"[+]configuration ok sha256:12ab\nreadyz check passed\n",
	},
}

func TestReadiness(t *testing.T) {
	t.Parallel()

	for name, tt := range sets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			operators := config()
			operators.Checks = checks(tt.checks...)

			for _, asked := range []struct {
				handler    http.Handler
				path, want string
			}{
				{admin.New(operators), "/readyz", tt.operators},
				{admin.New(operators), "/readyz?verbose", tt.verbose},
				{admin.Health(checks(tt.checks...)), "/readyz", tt.others},
				{admin.Health(checks(tt.checks...)), "/readyz?verbose", tt.others},
			} {
				if w := do(asked.handler, http.MethodGet, asked.path); w.Code != tt.status || w.Body.String() != asked.want {
					t.Errorf("%s: %d %q, want %d %q", asked.path, w.Code, w.Body, tt.status, asked.want)
				}
			}

			if w := do(admin.Health(checks(tt.checks...)), http.MethodGet, "/livez"); w.Code != http.StatusOK || w.Body.String() != "ok\n" {
				t.Errorf("livez: %d %q", w.Code, w.Body)
			}
		})
	}
}

func TestReadinessAsJSON(t *testing.T) {
	t.Parallel()

	deps := config()
	deps.Checks = checks(sets["keys_are_missing"].checks...)

	r := httptest.NewRequest(http.MethodGet, "/readyz", nil)
	r.Header.Set("Accept", "application/json")

	w := httptest.NewRecorder()
	admin.New(deps).ServeHTTP(w, r)

	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}

	want := map[string]any{"ready": false, "checks": []any{
		map[string]any{"name": "serving", "state": "ok", "required": true},
		map[string]any{"name": "keys", "state": "waiting", "required": true, "detail": issuer},
	}}
	if diff := cmp.Diff(want, got); diff != "" || w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", w.Code, diff)
	}
}

// What a kubelet can reach, many others can as well.
func TestHealthServesNothingElse(t *testing.T) {
	t.Parallel()

	handler := admin.Health(checks(sets["keys_are_missing"].checks...))

	for _, path := range []string{"/", "/metrics", "/upstreams", "/debug/pprof/", "/log/level", "/readyz/x", "/healthz"} {
		if w := do(handler, http.MethodGet, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}

	if w := do(handler, http.MethodPost, "/readyz"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}

	r := httptest.NewRequest(http.MethodGet, "/readyz", nil)
	r.Header.Set("Accept", "application/json")

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)

	if strings.Contains(w.Body.String(), "internal") {
		t.Errorf("tells what is internal: %s", w.Body)
	}
}

// checks are those of a gateway that does not change.
func checks(all ...admin.Check) func() []admin.Check { return func() []admin.Check { return all } }
