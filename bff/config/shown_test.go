package config_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portico-gateway/portico/bff/config"
)

// shown is what operators get to see.
func shown(t *testing.T, c config.Config, origins bool) string {
	t.Helper()

	s, err := c.Shown()
	if err != nil {
		t.Fatal(err)
	}

	text, err := s.YAML(origins)
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}

func TestShownSaysWhereSettingsAreSet(t *testing.T) {
	t.Parallel()

	path := file(t, `
server: {address: ":80", drain_delay: 60s}
cors: {allowed_origins: ["https://a.example"]}
upstreams: {user: {addresses: ["u:1"]}}
policies: [{selector: "*", set: {timeout: 1m}}]
`)

	c, err := config.Read(path, []string{"PORTICO_LOG_LEVEL=debug", "PORTICO_AUTH_DISABLED=true"})
	if err != nil {
		t.Fatal(err)
	}

	c.Server.RequestTimeout = time.Hour

	text := shown(t, c, true)
	for _, want := range []string{
		"# hash " + c.Hash() + ", file " + path + "\n",
		"\n  address: :80 # " + path + ":2:19\n",
		"\n  drain_delay: 1m # " + path + ":2:39\n",
		"\n  drain_timeout: 30s # default\n",
		"\n  request_timeout: 1h # program\n",
		"\n  allowed_origins: ['https://a.example'] # " + path + ":3:25\n",
		"\n  allowed_headers: [Authorization, Content-Type, Idempotency-Key, Last-Event-Id, X-Csrf, X-Request-Id] # default\n",
		"\n  level: debug # PORTICO_LOG_LEVEL\n",
		"\n    addresses: ['u:1'] # " + path + ":4:31\n",
		"\n  page: \"off\" # default\n",
		"\n    # " + path + ":5:33\n    set:\n      timeout: 1m\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}

	again, err := config.Read(file(t, text), nil)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(c.WithDefaults(), again.WithDefaults(), asSet, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// A variable that sets a mapping sets all of its entries, and none of the file are left.
func TestShownSaysWhereMappingsAreSet(t *testing.T) {
	t.Parallel()

	path := file(t, "tracing: {headers: {x-team: shop, x-old: a}, resource_attributes: {zone: b}}\n")

	c, err := config.Read(path, []string{"PORTICO_TRACING_HEADERS=api-key=k,x-team=t"})
	if err != nil {
		t.Fatal(err)
	}

	text := shown(t, c, true)
	for _, want := range []string{
		"\n    api-key: xxxxx # PORTICO_TRACING_HEADERS\n", "\n    x-team: xxxxx # PORTICO_TRACING_HEADERS\n",
		"\n    zone: b # " + path + ":1:",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}

	if _, set := c.Origins().Lookup("tracing.headers.x-old"); set {
		t.Error("an entry that was replaced has an origin")
	}
}

// Each text of a list of secrets is one.
func TestShownHidesListsOfSecrets(t *testing.T) {
	t.Parallel()

	c, err := config.Read(file(t, "auth: {sessions: {keys: [hunter2, hunter3]}}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}

	if text := shown(t, c, true); strings.Contains(text, "hunter") || !strings.Contains(text, "\n    keys: [xxxxx, xxxxx] #") {
		t.Error(text)
	}
}

func TestShownAsJSON(t *testing.T) {
	t.Parallel()

	path := file(t, "server: {drain_delay: 60s}\n")

	c, err := config.Read(path, []string{"PORTICO_LOG_LEVEL=debug"})
	if err != nil {
		t.Fatal(err)
	}

	s, err := c.Shown()
	if err != nil {
		t.Fatal(err)
	}

	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}

	for _, want := range []string{
		`"hash":"` + c.Hash() + `"`, `"file":"` + path + `"`, `"drain_delay":"1m"`,
		`"origins":{"log.level":{"variable":"PORTICO_LOG_LEVEL"},"server.drain_delay":{"file":"` + path + `","line":1,"column":23}}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}

	// A program has no origins.
	if s, err := (config.Config{}).Shown(); err != nil || s.Origins != nil || s.File != "" {
		t.Errorf("got %v %q, %v", s.Origins, s.File, err)
	}
}

func TestShownHasNoSecrets(t *testing.T) {
	t.Parallel()

	for url, want := range map[string]string{
		"redis://portico:hunter2@redis:6379/0":             "redis://portico:xxxxx@redis:6379/0",
		"redis://:hunter2@redis:6379":                      "redis://:xxxxx@redis:6379",
		"rediss://redis:6379?password=hunter2&pool_size=1": "rediss://redis:6379?password=xxxxx&pool_size=1",
		"redis://portico:hunter2@redis:%6379":              "xxxxx",
		"redis://redis:6379":                               "redis://redis:6379",
	} {
		c := config.Config{Redis: config.Redis{URL: url}}
		for _, origins := range []bool{false, true} {
			if text := shown(t, c, origins); strings.Contains(text, "hunter2") || !strings.Contains(text, "\n  url: "+want+"\n") {
				t.Errorf("%s: got %s", url, regexp.MustCompile(`(?m)^  url: .*$`).FindString(text))
			}
		}

		s, err := c.Shown()
		if err != nil {
			t.Fatal(err)
		}

		if text, _ := json.Marshal(s); strings.Contains(string(text), "hunter2") {
			t.Errorf("%s: got %s", url, text)
		}
	}
}

func TestHash(t *testing.T) {
	t.Parallel()

	hash := func(text string, environ ...string) string {
		c, err := config.Read(file(t, text), environ)
		if err != nil {
			t.Fatal(err)
		}

		if loaded := c.WithDefaults(); loaded.Hash() != c.Hash() || !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(c.Hash()) {
			t.Errorf("got %s and with defaults %s", c.Hash(), loaded.Hash())
		}

		return c.Hash()
	}

	same := hash("server: {address: ':80', idle_timeout: 2m}\nlog: {level: debug}\n")

	for name, other := range map[string]string{
		"order and comments": hash("# Mine.\nlog: {level: debug} # For now.\nserver:\n  address: :80\n"),
		"environment":        hash("server: {address: ':80'}\n", "PORTICO_LOG_LEVEL=debug"),
		"a duration":         hash("server: {address: ':80', idle_timeout: 120s}\nlog: {level: debug}\n"),
		"an empty list":      hash("server: {address: ':80'}\nlog: {level: debug}\npolicies: []\nupstreams: {}\ncors: {allowed_origins: []}\n"),
	} {
		if other != same {
			t.Errorf("%s changes it", name)
		}
	}

	seen := map[string]string{same: "the first"}

	for name, other := range map[string]string{
		"a value":       hash("server: {address: ':81'}\nlog: {level: debug}\n"),
		"a zero":        hash("server: {address: ':80', drain_delay: 0s}\nlog: {level: debug}\n"),
		"a secret":      hash("server: {address: ':80'}\nlog: {level: debug}\nredis: {url: 'redis://:a@r'}\n"),
		"other secret":  hash("server: {address: ':80'}\nlog: {level: debug}\nredis: {url: 'redis://:b@r'}\n"),
		"an upstream":   hash("server: {address: ':80'}\nlog: {level: debug}\nupstreams: {user: {target: 'u:1'}}\n"),
		"a policy":      hash("server: {address: ':80'}\nlog: {level: debug}\npolicies: [{selector: '*', set: {timeout: 1s}}]\n"),
		"max_in_flight": hash("server: {address: ':80'}\nlog: {level: debug}\noverload: {max_in_flight: 77}\n"),
	} {
		if first, twice := seen[other]; twice {
			t.Errorf("%s has the hash of %s", name, first)
		}

		seen[other] = name
	}

	a, b := config.Config{}, config.Config{}.WithDefaults()
	if a.Hash() != b.Hash() {
		t.Error("the defaults of a program change it")
	}
}

// What is shown of the example, or of any configuration, is a file with the same settings.
func TestShownCanBeRead(t *testing.T) {
	t.Parallel()

	example, err := os.ReadFile("../../deploy/portico.example.yaml")
	if err != nil {
		t.Fatal(err)
	}

	c, err := config.Read(file(t, string(example)), nil)
	if err != nil {
		t.Fatal(err)
	}

	configurations := []config.Config{c, {}}

	for seed := range uint64(10) {
		var c config.Config
		fillRandomly(reflect.ValueOf(&c).Elem(), rand.New(rand.NewPCG(seed, 0)))
		configurations = append(configurations, c)
	}

	for _, c := range configurations {
		c = c.WithDefaults()
		text := shown(t, c, true)

		again, err := config.Read(file(t, text), nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}

		if diff := cmp.Diff(c, again.WithDefaults(), asSet, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s\n%s", diff, text)
		}

		if again.Hash() != c.Hash() {
			t.Errorf("it has another hash:\n%s", text)
		}
	}
}

// fillRandomly sets about half of the settings to anything of their type, but no secrets.
func fillRandomly(value reflect.Value, r *rand.Rand) {
	texts := []string{"a", "off", "true", "1", "1m", "null", "", " x", "a: b", "# c", "line", "\u00e9\"'", "[]", "<<", "~", "0x1", "2001-01-01"}

	switch t := value.Type(); {
	case t.Kind() == reflect.Struct:
		for field, inner := range value.Fields() {
			if field.IsExported() && field.Tag.Get("secret") == "" && r.IntN(2) == 0 {
				fillRandomly(inner, r)
			}
		}
	case t.Kind() == reflect.Slice:
		value.Set(reflect.MakeSlice(t, r.IntN(3), 3))
		for i := range value.Len() {
			fillRandomly(value.Index(i), r)
		}
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Interface:
		value.Set(reflect.ValueOf(map[string]any{"timeout": "1m", "rate_limits": []any{map[string]any{"requests": 7, "daily": true}}}))
	case t.Kind() == reflect.Map:
		value.Set(reflect.MakeMap(t))
		for range r.IntN(3) {
			entry := reflect.New(t.Elem()).Elem()
			fillRandomly(entry, r)
			value.SetMapIndex(reflect.ValueOf("n"+texts[r.IntN(len(texts))]), entry)
		}
	case t.Kind() == reflect.String:
		value.SetString(texts[r.IntN(len(texts))])
	case t.Kind() == reflect.Bool:
		value.SetBool(true)
	case value.CanInt():
		value.SetInt(r.Int64N(1 << 31))
	case value.CanUint():
		value.SetUint(uint64(r.Uint32()))
	default:
		value.SetFloat(r.Float64())
	}
}
