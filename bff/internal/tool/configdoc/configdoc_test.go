package configdoc_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/tool/configdoc"
)

const (
	source     = "../../../config"
	regenerate = "run `make generate`"
)

// `make check-generate` holds it as well, but takes minutes.
func TestGeneratedFilesAreNew(t *testing.T) {
	t.Parallel()

	schema, err := configdoc.Schema(source)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(string(schema), string(config.Schema())); diff != "" {
		t.Errorf("%s: %s", regenerate, diff)
	}

	page, err := configdoc.Page(source)
	if err != nil {
		t.Fatal(err)
	}

	committed, err := os.ReadFile("../../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(string(page), string(committed)); diff != "" {
		t.Errorf("%s: %s", regenerate, diff)
	}
}

// A setting without a description would be a row with nothing in it.
func TestEverySettingIsDescribed(t *testing.T) {
	t.Parallel()

	var root map[string]any
	if err := json.Unmarshal(config.Schema(), &root); err != nil {
		t.Fatal(err)
	}

	var check func(path string, schema map[string]any)

	check = func(path string, schema map[string]any) {
		for _, inner := range []string{"items", "additionalProperties"} {
			if schema, ok := schema[inner].(map[string]any); ok {
				check(path, schema)
			}
		}

		properties, _ := schema["properties"].(map[string]any)
		for name, property := range properties {
			schema := property.(map[string]any)
			check(path+"."+name, schema)

			described, _ := schema["description"].(string)
			if described == "" {
				t.Errorf("%s.%s is not described", path, name)
			}

			for _, jargon := range []string{"DocsP", "DocsA", "DocsO", "MaxBytes", "JWKSFile", "true\"", "  "} {
				if strings.Contains(described, jargon) {
					t.Errorf("%s.%s: %q is in: %s", path, name, jargon, described)
				}
			}
		}
	}
	check("", root)
}

// The lists of values in the tags are those that are accepted.
func TestValuesOfTextsAreValid(t *testing.T) {
	t.Parallel()

	var try func(kind reflect.Type, base string, set func(c *config.Config) reflect.Value)

	problems := func(text string, kind reflect.StructField, set func(c *config.Config) reflect.Value) string {
		c := config.Config{
			Auth: config.Auth{
				Issuers:  []config.Issuer{{Issuer: "https://a.example", Audiences: []string{"b"}}},
				Sessions: config.Sessions{Issuer: "https://a.example", ClientID: "c"},
			},
			Upstreams: map[string]config.Upstream{},
		}
		c.Docs.OpenAPI = config.DocsPublic
		c.Redis = config.Redis{Addresses: []string{"a:1"}}
		c.Server.TLS = config.ServerTLS{CertFile: "a", KeyFile: "b", ClientCAFile: "c"}
		field := set(&c).FieldByIndex(kind.Index)

		if field.Kind() == reflect.Slice {
			field.Set(reflect.ValueOf([]string{text}))
		} else {
			field.SetString(text)
		}

		if err := c.WithDefaults().Validate(); err != nil {
			return err.Error()
		}

		return ""
	}

	try = func(kind reflect.Type, base string, set func(c *config.Config) reflect.Value) {
		for field := range kind.Fields() {
			path := base + field.Tag.Get("yaml")
			if field.Type.Kind() == reflect.Struct {
				try(field.Type, path+".", func(c *config.Config) reflect.Value { return set(c).FieldByIndex(field.Index) })
			}

			values := field.Tag.Get("enum")
			if values == "" {
				continue
			}

			for value := range strings.SplitSeq(values, ",") {
				if got := problems(value, field, set); strings.Contains(got, path) && !strings.Contains(got, "which is off") {
					t.Errorf("%s: %s is refused: %s", path, value, got)
				}
			}

			if got := problems("zzz", field, set); !strings.Contains(got, path) {
				t.Errorf("%s: zzz is accepted: %s", path, got)
			}
		}
	}

	try(reflect.TypeFor[config.Config](), "", func(c *config.Config) reflect.Value { return reflect.ValueOf(c).Elem() })
	try(reflect.TypeFor[config.Issuer](), "auth.issuers[0].", func(c *config.Config) reflect.Value {
		return reflect.ValueOf(&c.Auth.Issuers[0]).Elem()
	})
}
