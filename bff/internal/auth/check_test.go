package auth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

func TestCheckConfig(t *testing.T) {
	t.Parallel()

	file := keyFile(t, authtest.KeySet(t, authtest.NewSigner(t, "EdDSA", authtest.KeyID)))
	missing := t.TempDir() + "/none"

	issuer := func(change func(*config.Issuer)) config.Auth {
		i := config.Issuer{Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}, JWKSFile: file}
		change(&i)

		return config.Auth{Issuers: []config.Issuer{i}}.WithDefaults()
	}

	for name, row := range map[string]struct {
		cfg  config.Auth
		want []string
	}{
		"good":           {issuer(func(*config.Issuer) {}), nil},
		"at_a_url":       {issuer(func(i *config.Issuer) { i.JWKSFile, i.JWKSURL = "", "https://127.0.0.1:1/keys" }), nil},
		"by_discovery":   {issuer(func(i *config.Issuer) { i.JWKSFile, i.Issuer = "", "https://127.0.0.1:1" }), nil},
		"no_file":        {issuer(func(i *config.Issuer) { i.JWKSFile = missing }), []string{"auth.issuers[0].jwks_file: open " + missing + ": no such file"}},
		"no_key_set":     {issuer(func(i *config.Issuer) { i.JWKSFile = keyFile(t, []byte("{")) }), []string{"auth.issuers[0].jwks_file: issuer keys: "}},
		"no_key_for_it":  {issuer(func(i *config.Issuer) { i.Algorithms = []string{"RS256", "ES256"} }), []string{"auth.issuers[0].jwks_file: no key is for an algorithm of the issuer: they are for EdDSA, it signs with RS256, ES256"}},
		"insecure":       {issuer(func(i *config.Issuer) { i.JWKSFile, i.JWKSURL = "", "http://a.example/keys" }), []string{"auth.issuers[0].jwks_url: URL is not https"}},
		"insecure_name":  {issuer(func(i *config.Issuer) { i.JWKSFile, i.Issuer = "", "http://a.example" }), []string{"auth.issuers[0].issuer: URL is not https"}},
		"subject_prefix": {issuer(func(i *config.Issuer) { i.SubjectPrefix = "zoë:" }), []string{"auth.issuers[0].subject_prefix: "}},
		"all_at_once": {
			config.Auth{
				Issuers:      []config.Issuer{{Issuer: "a", JWKSFile: missing}, {Issuer: "b", JWKSURL: "http://b.example"}},
				APIKeys:      config.APIKeys{File: missing},
				Certificates: []config.Certificate{{Name: "cn:a", Subject: "zoë"}},
			}.WithDefaults(),
			[]string{"auth.certificates[0]: subject", "auth.api_keys.file: open " + missing, "auth.issuers[0].jwks_file: ", "auth.issuers[1].jwks_url: "},
		},
	} {
		var lines []string
		if err := auth.CheckConfig(row.cfg); err != nil {
			lines = strings.Split(err.Error(), "\n")
		}

		if len(lines) != len(row.want) {
			t.Errorf("%s: got %q, want %q", name, lines, row.want)
			continue
		}

		for i, want := range row.want {
			if !strings.HasPrefix(lines[i], want) {
				t.Errorf("%s: got %q, want %q", name, lines[i], want)
			}
		}
	}
}

func TestCheckOnline(t *testing.T) {
	t.Parallel()

	keys := authtest.KeySet(t, authtest.NewSigner(t, "EdDSA", "a"), authtest.NewSigner(t, "ES256", "b"))
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keys) })
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": server.URL, "jwks_uri": server.URL + "/keys"})
	})
	mux.HandleFunc("/other/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": "https://other.example", "jwks_uri": server.URL + "/keys"})
	})

	for name, row := range map[string]struct {
		issuer  config.Issuer
		setting string
		text    string
		fault   string
	}{
		"keys":          {config.Issuer{Issuer: "a", JWKSURL: server.URL + "/keys"}, "jwks_url", "has keys for ES256, EdDSA", ""},
		"discovery":     {config.Issuer{Issuer: server.URL}, "issuer", "has keys for", ""},
		"not_found":     {config.Issuer{Issuer: "a", JWKSURL: server.URL + "/none"}, "jwks_url", "", "status 404"},
		"other_issuer":  {config.Issuer{Issuer: server.URL + "/other"}, "issuer", "", `it is about issuer "https://other.example"`},
		"no_key_for_it": {config.Issuer{Issuer: "a", JWKSURL: server.URL + "/keys", Algorithms: []string{"RS256"}}, "jwks_url", "", "no key is for an algorithm"},
	} {
		cfg := config.Auth{Issuers: []config.Issuer{row.issuer}}.WithDefaults()

		setting, text, err := auth.CheckOnline(t.Context(), cfg.Issuers[0])
		if setting != row.setting || !strings.Contains(text, row.text) || (err == nil) != (row.fault == "") ||
			err != nil && !strings.Contains(err.Error(), row.fault) {
			t.Errorf("%s: got %q, %q, %v", name, setting, text, err)
		}
	}
}
