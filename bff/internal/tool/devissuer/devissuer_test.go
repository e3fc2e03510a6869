package devissuer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

func mustOpen(tb testing.TB, dir string) *devissuer.DevIssuer {
	tb.Helper()

	d, err := devissuer.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}

	return d
}

func keySet(tb testing.TB, d *devissuer.DevIssuer) string {
	tb.Helper()

	data, err := os.ReadFile(d.JWKSFile())
	if err != nil {
		tb.Fatal(err)
	}

	return string(data)
}

func TestOpenKeepsItsKey(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "new")
	first := keySet(t, mustOpen(t, dir))

	if second := keySet(t, mustOpen(t, dir)); second != first {
		t.Errorf("the key has changed:\n%s\n%s", first, second)
	}

	for name, want := range map[string]os.FileMode{"": 0o700, "dev-issuer.jwk.json": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}

		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %q is %o, want %o", name, got, want)
		}
	}

	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("files left behind: %v %v", entries, err)
	}
}

func TestCreatedIsSaidOfANewKeyAlone(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "new")

	if !mustOpen(t, dir).Created() {
		t.Error("the key was not made")
	}

	if mustOpen(t, dir).Created() {
		t.Error("the key was made twice")
	}
}

func TestPublicSetIsPublic(t *testing.T) {
	t.Parallel()

	var doc struct {
		Keys []map[string]any `json:"keys"`
	}

	if err := json.Unmarshal([]byte(keySet(t, mustOpen(t, t.TempDir()))), &doc); err != nil {
		t.Fatal(err)
	}

	if len(doc.Keys) != 1 || doc.Keys[0]["d"] != nil || doc.Keys[0]["x"] == nil || doc.Keys[0]["kid"] == "" {
		t.Errorf("key set = %v", doc)
	}
}

func TestRacingProcessesShareOneKey(t *testing.T) {
	t.Parallel()

	const racers = 16

	var (
		dir  = t.TempDir()
		sets [racers]string
		wg   sync.WaitGroup
	)

	for i := range racers {
		wg.Go(func() {
			d, err := devissuer.Open(dir)
			if err != nil {
				t.Error(err)

				return
			}

			token, err := d.Token("ada", nil, time.Minute, time.Now())
			if err != nil {
				t.Error(err)

				return
			}

			// The header names the key.
			sets[i], _, _ = strings.Cut(token, ".")
		})
	}

	wg.Wait()

	for i := range sets {
		if sets[i] != sets[0] {
			t.Fatalf("process %d has another key", i)
		}
	}
}

func TestOpenRefusesAKeyFileThatIsNone(t *testing.T) {
	t.Parallel()

	const (
		private = `AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA`
		public  = `11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo`
	)

	for name, content := range map[string]string{
		"empty":        "",
		"not_json":     "nonsense",
		"public":       `{"kty":"OKP","crv":"Ed25519","x":"` + public + `"}`,
		"foreign_half": `{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","d":"` + private + `","x":"` + public + `"}`,
		"symmetric":    `{"kty":"oct","k":"c2VjcmV0"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := t.TempDir()
			file := filepath.Join(dir, "dev-issuer.jwk.json")

			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}

			if _, err := devissuer.Open(dir); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("error %v does not name the file", err)
			}
		})
	}
}

func TestClaimsOfAToken(t *testing.T) {
	t.Parallel()

	d := mustOpen(t, t.TempDir())

	now := time.Unix(1_800_000_000, 0)

	token, err := d.Token("ada", []string{"orders:read", "orders:write"}, time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}

	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		t.Fatal(err)
	}

	want := "map[aud:portico exp:1.8000036e+09 iat:1.8e+09 iss:https://dev.portico.invalid scope:orders:read orders:write sub:ada]"
	if got := fmt.Sprint(claims); got != want {
		t.Errorf("claims:\ngot  %s\nwant %s", got, want)
	}
}

func TestTokenIsAcceptedByTheGateway(t *testing.T) {
	t.Parallel()

	d := mustOpen(t, t.TempDir())

	gate, err := auth.New(t.Context(), config.Auth{Issuers: []config.Issuer{{
		Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience}, JWKSFile: d.JWKSFile(),
	}}}.WithDefaults(), auth.Deps{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}

	token, err := d.Token("ada", []string{"orders:read"}, time.Minute, time.Now())
	if err != nil {
		t.Fatal(err)
	}

	rec := &reqinfo.Record{}
	r := httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	gate.Identify(nil)(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)

	want := reqinfo.Principal{Subject: "ada", Issuer: devissuer.IssuerName, Scopes: []string{"orders:read"}}
	if diff := cmp.Diff(want, rec.Principal); diff != "" {
		t.Error(diff)
	}
}

// Once, there were tokens for subjects that no gateway passes on.
func TestTokenRefusesWhatNoGatewayAccepts(t *testing.T) {
	t.Parallel()

	d := mustOpen(t, t.TempDir())

	for name, row := range map[string]struct {
		subject string
		scopes  []string
		ttl     time.Duration
		want    string
	}{
		"no_subject":      {"", nil, time.Minute, "subject: must be 1 to 255"},
		"not_ascii":       {"Zoë", nil, time.Minute, "subject: must be 1 to 255"},
		"line_end":        {"a\nb", nil, time.Minute, "subject: must be"},
		"space_before":    {" ada", nil, time.Minute, "subject: must be"},
		"too_long":        {strings.Repeat("a", 256), nil, time.Minute, "subject: must be"},
		"scope_not_ascii": {"ada", []string{"läsa"}, time.Minute, "scopes: must be"},
		"scope_line_end":  {"ada", []string{"a", "b\nc"}, time.Minute, "scopes: must be"},
		"no_time_to_live": {"ada", nil, 0, "at least a second"},
	} {
		if _, err := d.Token(row.subject, row.scopes, row.ttl, time.Now()); !errors.Is(err, devissuer.ErrRequest) ||
			!strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}

	for name, subject := range map[string]string{"space_within": "Ada Lovelace", "signs": "mailto:ada@example.com?x=%C3%AB", "longest": strings.Repeat("a", 255)} {
		if _, err := d.Token(subject, []string{"a b", "c"}, time.Minute, time.Now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)

		return
	}
	defer os.RemoveAll(dir)

	issuer, err := devissuer.Open(dir)
	if err != nil {
		fmt.Println(err)

		return
	}

	token, err := issuer.Token("ada", []string{"orders:read"}, time.Hour, time.Now())
	fmt.Println(strings.Count(token, "."), err, filepath.Base(issuer.JWKSFile()))

	// Output:
	// 2 <nil> dev-issuer.jwks.json
}
