package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/admin/console"
)

func TestActions(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		response           string
		noted              []string
	}{
		"purge":          {"POST", "purge", `{"tag":"orders"}`, 200, `{"done":"purged orders"}`, []string{"on=tag orders"}},
		"with_put":       {"PUT", "purge", `{"tag":"orders"}`, 200, `{"done":"purged orders"}`, []string{"on=tag orders"}},
		"level":          {"POST", "log-level", `{"level":"debug"}`, 200, `{"done":`, []string{"on=debug"}},
		"level_for":      {"POST", "log-level", `{"level":"debug","for":"5m"}`, 200, `{"done":`, []string{"on=debug for 5m"}},
		"level_reset":    {"POST", "log-level", `{}`, 200, `{"done":`, []string{"on=the level of the configuration"}},
		"empty_body":     {"POST", "reload", "", 200, `{"done":"reloaded","hash":"12ab"}`, []string{"on=configuration"}},
		"not_valid":      {"POST", "purge", `{}`, 400, `"detail":"tag: is missing"`, []string{"on=tag ", "error=INVALID_ARGUMENT: tag: is missing"}},
		"unknown_member": {"POST", "purge", `{"tags":["orders"]}`, 400, `unknown field`, nil},
		"no_json":        {"POST", "purge", `tag=orders`, 400, `the body: `, nil},
		"two_documents":  {"POST", "purge", `{"tag":"a"} {"tag":"b"}`, 400, `something behind`, nil},
		"large_body":     {"POST", "purge", `{"tag":"` + strings.Repeat("x", 20_000) + `"}`, 400, `too large`, nil},
		"get":            {"GET", "purge", "", 404, "", nil},
		"no_such_action": {"POST", "explode", "", 404, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newSource()
			c := console.New(s.deps())
			defer c.Close()

			w := httptest.NewRecorder()
			c.ServeHTTP(w, httptest.NewRequest(tt.method, "/console/actions/"+tt.path, strings.NewReader(tt.body)))

			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.response) {
				t.Errorf("%d %s", w.Code, w.Body)
			}

			if diff := cmp.Diff(tt.noted, s.noted); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Each action asks the guard, by its name.
func TestActionsAreGuarded(t *testing.T) {
	t.Parallel()

	deps := newSource().deps()
	deps.Guard = func(action string, _ http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, action, http.StatusUnauthorized) })
	}

	c := console.New(deps)
	defer c.Close()

	for _, action := range []string{"breaker", "drain", "log-level", "purge", "reload"} {
		w := httptest.NewRecorder()
		c.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/console/actions/"+action, strings.NewReader("{}")))

		if w.Code != http.StatusUnauthorized || w.Body.String() != action+"\n" {
			t.Errorf("%s: %d %s", action, w.Code, w.Body)
		}
	}
}
