package admin_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/admin"
)

const credential = "correct horse battery"

// guarded is a guard with what it has logged and counted.
type guarded struct {
	*admin.Guard

	mu     sync.Mutex
	counts map[string]int
	log    bytes.Buffer
}

func guard(configured string) *guarded {
	g := &guarded{counts: map[string]int{}}
	g.Guard = admin.NewGuard(func() string { return configured }, slog.New(slog.NewTextHandler(&g.log, nil)),
		func(action string, result admin.Result) {
			g.mu.Lock()
			defer g.mu.Unlock()

			g.counts[action+" "+string(result)]++
		})

	return g
}

// ask requests the action "purge", which responds with the status.
func (g *guarded) ask(authorization string, status int) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/console/actions/purge", nil)

	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}

	g.Protect("purge", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admin.Note(r, slog.String("tag", "orders"))
		w.WriteHeader(status)
	})).ServeHTTP(w, r)

	return w
}

func TestCredential(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		configured, authorization string
		handler, status           int
		counted, level            string
	}{
		"right":             {credential, "Bearer " + credential, 200, 200, "purge done", "WARN"},
		"scheme_in_lower":   {credential, "bearer " + credential, 204, 204, "purge done", "WARN"},
		"not_valid":         {credential, "Bearer " + credential, 404, 404, "purge invalid", "INFO"},
		"fails":             {credential, "Bearer " + credential, 503, 503, "purge failed", "WARN"},
		"missing":           {credential, "", 200, 401, "purge unauthorized", "WARN"},
		"wrong":             {credential, "Bearer correct horse", 200, 401, "purge unauthorized", "WARN"},
		"longer":            {credential, "Bearer " + credential + "x", 200, 401, "purge unauthorized", "WARN"},
		"another_scheme":    {credential, "Basic " + credential, 200, 401, "purge unauthorized", "WARN"},
		"none_configured":   {"", "Bearer " + credential, 200, 403, "purge forbidden", "WARN"},
		"empty_and_no_such": {"", "Bearer ", 200, 403, "purge forbidden", "WARN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			g := guard(tt.configured)
			w := g.ask(tt.authorization, tt.handler)

			if w.Code != tt.status {
				t.Errorf("%d %s", w.Code, w.Body)
			}

			if diff := cmp.Diff(map[string]int{tt.counted: 1}, g.counts); diff != "" {
				t.Error(diff)
			}

			line := g.log.String()
			if !strings.Contains(line, "level="+tt.level) || !strings.Contains(line, "remote=192.0.2.1:1234") ||
				strings.Contains(line, "tag=orders") != (tt.status == tt.handler) || strings.Contains(line, "correct") {
				t.Errorf("logged %s", line)
			}

			if tt.status == tt.handler {
				return
			}

			var document struct{ Status int }
			if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil || document.Status != tt.status {
				t.Errorf("%v: %s", err, w.Body)
			}

			if challenge := w.Header().Get("WWW-Authenticate"); (challenge == "Bearer") != (tt.status == http.StatusUnauthorized) {
				t.Errorf("WWW-Authenticate is %q", challenge)
			}

			if tt.configured == "" && !strings.Contains(w.Body.String(), "admin.credential_file") {
				t.Errorf("it does not say which setting is missing: %s", w.Body)
			}
		})
	}
}

// Many wrong credentials get 429 and no line of the log, and lock nobody out.
func TestWrongCredentialsAreBounded(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		g := guard(credential)

		for i := range 30 {
			want := http.StatusUnauthorized
			if i >= 10 {
				want = http.StatusTooManyRequests
			}

			if w := g.ask("Bearer wrong", 200); w.Code != want || want == 429 && w.Header().Get("Retry-After") != "5" {
				t.Errorf("attempt %d: %d %v", i, w.Code, w.Header())
			}
		}

		if w := g.ask("Bearer "+credential, 200); w.Code != http.StatusOK {
			t.Errorf("the right one: %d %s", w.Code, w.Body)
		}

		if n := strings.Count(g.log.String(), "unauthorized"); n != 10 {
			t.Errorf("%d lines", n)
		}

		time.Sleep(5 * time.Second)

		for _, want := range []int{http.StatusUnauthorized, http.StatusTooManyRequests} {
			if w := g.ask("Bearer wrong", 200); w.Code != want {
				t.Errorf("five seconds later: %d, want %d", w.Code, want)
			}
		}

		if want := map[string]int{"purge unauthorized": 11, "purge limited": 21, "purge done": 1}; !cmp.Equal(want, g.counts) {
			t.Error(cmp.Diff(want, g.counts))
		}
	})
}

// Once, whoever could reach the admin listener could fill the log.
func TestRefusalsWithoutACredentialAreLoggedNowAndThen(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		g := guard("")

		for range 30 {
			if w := g.ask("", 200); w.Code != http.StatusForbidden {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}

		if n := strings.Count(g.log.String(), "forbidden"); n != 10 || g.counts["purge forbidden"] != 30 {
			t.Errorf("%d lines, counted %v", n, g.counts)
		}
	})
}

func TestActionThatPanics(t *testing.T) {
	t.Parallel()

	g := guard(credential)

	func() {
		defer func() { _ = recover() }()

		r := httptest.NewRequest(http.MethodPost, "/reload", nil)
		r.Header.Set("Authorization", "Bearer "+credential)
		g.Protect("reload", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })).
			ServeHTTP(httptest.NewRecorder(), r)
	}()

	if g.counts["reload failed"] != 1 {
		t.Errorf("counted %v", g.counts)
	}
}
