package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portico-gateway/portico/bff/config"
)

// asSet compares what is set, not where.
var asSet = cmpopts.IgnoreUnexported(config.Config{})

// file writes a configuration file.
func file(tb testing.TB, text string) string {
	tb.Helper()

	path := filepath.Join(tb.TempDir(), "portico.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}

	return path
}

func TestReadTakesWhatTheFileSays(t *testing.T) {
	t.Parallel()

	got, err := config.Read(file(t, `
server: {address: ":80", read_header_timeout: 1s, idle_timeout: 2s, max_header_bytes: 3, request_timeout: 4s, drain_delay: 5s,
  drain_timeout: 6s}
admin: {address: "-"}
client_ip: {trusted_proxies: [10.0.0.0/8]}
json: {names: proto, emit_defaults: true, max_depth: 18}
compression: {disabled: true, min_bytes: 19}
idempotency: {max_bytes: 20}
query: {ignored: []}
cors: {allowed_origins: ["https://a.example"], allowed_headers: [X-A], allow_credentials: true, max_age: 7s}
limits: {max_body_bytes: 8, max_decompression_ratio: 17, client: {requests: 9, per: 10s, burst: 11}, max_keys: 12, legacy_headers: true}
auth:
  disabled: true
  keys_grace: 21s
  issuers:
    - {issuer: a, audiences: [b], algorithms: [RS256], token_types: ["", at+jwt], jwks_file: c, refresh_interval: 13s, leeway: 14s}
    - {issuer: d, jwks_url: "https://e.example"}
log: {level: debug, format: text}
upstreams:
  user: {addresses: ["u:1", "u:2"], breaker: {failure_ratio: 0.25, min_requests: 15, window: 16s, open_for: 17s}}
  order: {target: "dns:///o:1"}
`), nil)
	if err != nil {
		t.Fatal(err)
	}

	want := config.Config{
		Server: config.Server{
			Address: ":80", ReadHeaderTimeout: time.Second, IdleTimeout: 2 * time.Second, MaxHeaderBytes: 3,
			RequestTimeout: 4 * time.Second, DrainDelay: 5 * time.Second, DrainTimeout: 6 * time.Second,
		},
		Admin:       config.Admin{Address: config.AdminOff},
		ClientIP:    config.ClientIP{TrustedProxies: []string{"10.0.0.0/8"}},
		JSON:        config.JSON{Names: config.NamesProto, EmitDefaults: true, MaxDepth: 18},
		Compression: config.Compression{Disabled: true, MinBytes: 19}, Idempotency: config.Idempotency{MaxBytes: 20},
		Query: config.Query{Ignored: []string{}},
		CORS: config.CORS{
			AllowedOrigins: []string{"https://a.example"}, AllowedHeaders: []string{"X-A"}, AllowCredentials: true,
			MaxAge: 7 * time.Second,
		},
		Limits: config.Limits{
			MaxBodyBytes: 8, MaxDecompressionRatio: 17, Client: config.Rate{Requests: 9, Per: 10 * time.Second, Burst: 11},
			MaxKeys: 12, LegacyHeaders: true,
		},
		Auth: config.Auth{Disabled: true, KeysGrace: 21 * time.Second, Issuers: []config.Issuer{
			{
				Issuer: "a", Audiences: []string{"b"}, Algorithms: []string{"RS256"}, TokenTypes: []string{"", "at+jwt"}, JWKSFile: "c",
				RefreshInterval: 13 * time.Second, Leeway: 14 * time.Second,
			},
			{Issuer: "d", JWKSURL: "https://e.example"},
		}},
		Log: config.Log{Level: "debug", Format: "text"},
		Upstreams: map[string]config.Upstream{
			"user": {
				Addresses: []string{"u:1", "u:2"},
				Breaker:   config.Breaker{FailureRatio: 0.25, MinRequests: 15, Window: 16 * time.Second, OpenFor: 17 * time.Second},
			},
			"order": {Target: "dns:///o:1"},
		},
	}
	if diff := cmp.Diff(want, got, asSet); diff != "" {
		t.Error(diff)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		text string
		want []string
	}{
		{"unknown_key", "server:\n  adress: :80\n", []string{`:2:3: server.adress: there is no such setting; did you mean "address"?`}},
		{"unknown_section", "log: {}\n\nserved: {}\n", []string{`:3:1: served: there is no such setting; did you mean "server"?`}},
		{"unknown_key_far_from_all", "log:\n  zzzzzz: x\n", []string{":2:3: log.zzzzzz: there is no such setting; there are format, level"}},
		{"unknown_key_of_an_upstream", "upstreams:\n  user:\n    address: u:1\n", []string{
			`:3:5: upstreams.user.address: there is no such setting; did you mean "addresses"?`,
		}},
		{
			"several_at_once", "server:\n  adress: :80\nlog:\n  levle: info\n  format: [json]\n",
			[]string{":2:3: server.adress", ":4:3: log.levle", ":5:11: log.format: must be a text"},
		},
		{"key_given_twice", "log:\n  level: info\n  level: debug\n", []string{":3:3: log.level: is set more than once, first in line 2"}},
		{"duration_without_a_unit", "server: {idle_timeout: 5}\n", []string{
			`:1:24: server.idle_timeout: "5" is not a duration, such as 500ms, 4s or 1h30m; write 5s for seconds`,
		}},
		{"duration_in_days", "server: {idle_timeout: 2d}\n", []string{`"2d" is not a duration, such as 500ms, 4s or 1h30m; a day is 24h`}},
		{"word_where_a_number_belongs", "limits: {max_keys: many}\n", []string{`:1:20: limits.max_keys: "many" is not a whole number`}},
		{"text_where_a_number_belongs", "limits: {max_keys: '7'}\n", []string{`:1:20: limits.max_keys: "7" must be written without quotation marks`}},
		{"word_where_true_or_false_belongs", "auth: {disabled: never}\n", []string{`auth.disabled: "never" is not true or false`}},
		{"one_where_a_list_belongs", "upstreams:\n  user:\n    addresses: u:1\n", []string{":3:16: upstreams.user.addresses: must be a list"}},
		{"within_a_list", "auth:\n  issuers:\n    - issuer: a\n    - isuer: b\n", []string{
			`:4:7: auth.issuers[1].isuer: there is no such setting; did you mean "issuer"?`,
		}},
		{"of_an_alias", "upstreams:\n  a: &a {addresses: 1}\n  b: *a\n", []string{":2:21: upstreams.b.addresses: must be a list"}},
		{"of_a_merge", "upstreams:\n  a: &a {target: x}\n  b: {<<: *a, brokers: 1}\n", []string{":3:15: upstreams.b.brokers: there is no such"}},
		{"tab", "server:\n\taddress: :80\n", []string{":2: the indentation has a tab: YAML takes spaces alone"}},
		{"two_documents", "log: {level: info}\n---\nlog: {level: debug}\n", []string{":2: a second YAML document"}},
		{"two_documents_of_which_one_is_malformed", "log: {level: info}\n---\n}\n", []string{":2: a second YAML document"}},
		{"malformed", "log: {level\n", []string{":1: did not find expected"}},
		{"list", "- a\n", []string{":1:1: must be a mapping of names to values"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			path := file(t, tt.text)

			got, err := config.Read(path, nil)
			if err == nil {
				t.Fatalf("read %+v", got)
			}

			for _, want := range append(tt.want, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in: %v", want, err)
				}
			}

			for _, jargon := range []string{"unmarshal", "!!", "config.", "time."} {
				if strings.Contains(err.Error(), jargon) {
					t.Errorf("%q is in: %v", jargon, err)
				}
			}
		})
	}
}

func TestReadOfNoFile(t *testing.T) {
	t.Parallel()

	for _, path := range []string{"", file(t, ""), file(t, "# nothing yet\n")} {
		got, err := config.Read(path, nil)
		if err != nil {
			t.Errorf("%q: %v", path, err)
		}

		if diff := cmp.Diff(config.Config{}, got, asSet); diff != "" {
			t.Errorf("%q: %s", path, diff)
		}
	}

	if _, err := config.Read(filepath.Join(t.TempDir(), "absent.yaml"), nil); err == nil || !strings.Contains(err.Error(), "absent.yaml") {
		t.Errorf("a file that is named must be there: got %v", err)
	}
}

func TestLoadFillsInAndChecks(t *testing.T) {
	t.Parallel()

	got, err := config.Load(file(t, "auth: {disabled: true}\nlog: {level: warn}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}

	if got.Log != (config.Log{Level: "warn", Format: "json", Sample: 1}) || got.Server.Address != "127.0.0.1:8080" {
		t.Errorf("got %+v", got)
	}

	_, err = config.Load(file(t, "log: {level: loud}\n"), nil)
	if err == nil || !strings.Contains(err.Error(), `log.level: "loud"`) || !strings.Contains(err.Error(), "auth: needs") {
		t.Errorf("got %v", err)
	}
}

// The example claims to show the defaults, unless it says otherwise.
func TestExample(t *testing.T) {
	t.Parallel()

	const path = "../../deploy/portico.example.yaml"

	got, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}

	want := config.Config{
		ClientIP: config.ClientIP{TrustedProxies: got.ClientIP.TrustedProxies},
		CORS:     config.CORS{AllowedOrigins: got.CORS.AllowedOrigins},
		Auth: config.Auth{Issuers: []config.Issuer{{
			Issuer: got.Auth.Issuers[0].Issuer, Audiences: got.Auth.Issuers[0].Audiences, JWKSURL: got.Auth.Issuers[0].JWKSURL,
			Claims:         config.Claims{Scopes: "scope"},
			RequiredClaims: map[string][]string{"azp": {"mobile", "web"}, "sid": {}}, SubjectPrefix: "staff:",
		}}},
		Log:       config.Log{SlowAfter: got.Log.SlowAfter},
		Policies:  got.Policies,
		Headers:   config.Headers{Request: []string{"Accept-Language"}, Response: []string{"X-Total-Count"}},
		Upstreams: map[string]config.Upstream{},
	}
	for name, u := range got.Upstreams {
		want.Upstreams[name] = config.Upstream{
			Addresses: u.Addresses, Target: u.Target, Breaker: config.Breaker{SlowAfter: u.Breaker.SlowAfter},
		}
	}

	if diff := cmp.Diff(want.WithDefaults(), got, asSet); diff != "" {
		t.Error(diff)
	}

	for _, name := range []string{"user", "order", "profile", "payment", "notification"} {
		if _, ok := got.Upstreams[name]; !ok {
			t.Errorf("upstream %s is missing", name)
		}
	}
}

// What is commented out in the example must still be settings that exist.
func TestExampleUncommented(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile("../../deploy/portico.example.yaml")
	if err != nil {
		t.Fatal(err)
	}

	setting := regexp.MustCompile(`(?m)^( +)# ( *(?:[a-z_]+:|- \{|#).*)$`)

	got, err := config.Load(file(t, setting.ReplaceAllString(string(text), "$1$2")), nil)
	if err != nil {
		t.Fatal(err)
	}

	if got.Server.TLS.ClientAuth != config.ClientAuthOptional || got.Auth.APIKeys.File == "" || len(got.Auth.Certificates) != 1 ||
		got.Auth.Internal.Issuer == "" || !got.Upstreams["user"].TLS.On() ||
		got.Upstreams["user"].Authority == "" {
		t.Errorf("got %+v", got)
	}
}

// Once, an unknown key hid every other fault of the file and of the environment.
func TestLoadNamesFaultsOfAllKindsAtOnce(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "portico.yaml")
	if err := os.WriteFile(path, []byte("servers: {}\nlog: {level: loud}\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	_, err := config.Load(path, []string{"PORTICO_SERVER_IDLE_TIMEOUT=soon", "PORTICO_SERVER_ADDRESS=nowhere"})
	if err == nil {
		t.Fatal("it was accepted")
	}

	for _, want := range []string{":1:1: servers", "PORTICO_SERVER_IDLE_TIMEOUT", "log.level", "server.address", "auth: needs"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

// Once, a key that is there twice was followed by what the file seemed to lack then.
func TestLoadNamesWhatIsWrongAlone(t *testing.T) {
	t.Parallel()

	for _, row := range []struct{ text, want string }{
		{"auth: {disabled: true}\nlog: {}\nlog: {}\n", ":3:1: log: is set more than once, first in line 2"},
		{"auth: []\n", ":1:7: auth: must be a mapping of names to values"},
		{"hello\n", ":1:1: must be a mapping of names to values"},
		{"auth: {disabled: true\n", ":1: did not find expected ',' or '}'"},
	} {
		path := file(t, row.text)

		if _, err := config.Load(path, nil); err == nil || err.Error() != path+row.want {
			t.Errorf("got  %v\nwant %s", err, path+row.want)
		}
	}
}
