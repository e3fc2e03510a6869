package bff_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
)

// operated is a gateway whose admin listener is asked.
func operated(t *testing.T, admin config.Admin) *bff.Gateway {
	t.Helper()

	gw, err := bff.New(t.Context(), config.Config{
		Admin: admin, Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{"127.0.0.1:1"}}},
	}, withShelf(), quiet())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = gw.Close() })

	return gw
}

func ask(gw *bff.Gateway, method, path, credential, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}

	w := httptest.NewRecorder()
	gw.Admin().ServeHTTP(w, r)

	return w
}

const secretOfOperators = "the secret of operators"

func TestActionsWithoutACredential(t *testing.T) {
	t.Parallel()

	gw := operated(t, config.Admin{})

	for _, path := range []string{"/console/actions/drain", "/console/actions/breaker", "/console/actions/purge", "/reload"} {
		w := ask(gw, http.MethodPost, path, secretOfOperators, `{"drained":true}`)
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "set admin.credential or admin.credential_file") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}

	for path, status := range map[string]int{"/readyz": 200, "/config": 200, "/console/": 200, "/reload": 405} {
		if w := ask(gw, http.MethodGet, path, "", ""); w.Code != status {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestCredentialFile(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "credential")
	if err := os.WriteFile(path, []byte(secretOfOperators+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	gw := operated(t, config.Admin{CredentialFile: path})

	for credential, status := range map[string]int{secretOfOperators: 200, "another secret of operators": 401, "": 401} {
		if w := ask(gw, http.MethodPost, "/console/actions/drain", credential, `{"drained":true}`); w.Code != status {
			t.Errorf("with %q: %d %s", credential, w.Code, w.Body)
		}
	}

	if w := ask(gw, http.MethodGet, "/readyz", "", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("readiness: %d", w.Code)
	}
}

func TestFaultyCredentialFile(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "credential")
	if err := os.WriteFile(path, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	_, err := bff.New(t.Context(), config.Config{
		Admin: config.Admin{CredentialFile: path}, Auth: config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{"127.0.0.1:1"}}},
	}, withShelf(), quiet())
	if err == nil || !strings.Contains(err.Error(), "admin.credential_file: ") || strings.Contains(err.Error(), "short\n") {
		t.Errorf("%v", err)
	}
}

// The credential of a configuration holds once a reload has put it in place.
func TestCredentialAfterAReload(t *testing.T) {
	t.Parallel()

	gw := operated(t, config.Admin{})

	next := config.Config{
		Admin: config.Admin{Credential: secretOfOperators}, Auth: config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{"127.0.0.1:1"}}},
	}
	if err := gw.Reload(t.Context(), next); err != nil {
		t.Fatal(err)
	}

	if w := ask(gw, http.MethodPost, "/console/actions/purge", secretOfOperators, `{"tag":"shelf"}`); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}

	if w := ask(gw, http.MethodGet, "/console/state", "", ""); w.Code != http.StatusOK || strings.Contains(w.Body.String(), secretOfOperators) ||
		!strings.Contains(w.Body.String(), `"trigger":"program","result":"accepted"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
