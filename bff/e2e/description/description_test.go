package description_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite/all"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/conformance"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/gen"
)

const committed = "../../../gen/openapi/openapi.json"

// What is committed is what a gateway with default settings serves, and both forms of it are one document, which is valid.
func TestCommittedDocumentIsTheServedOne(t *testing.T) {
	t.Parallel()

	served, err := gatewaytest.Compile(t, config.Config{},
		append(all.Composites(), bff.WithServices(gen.Services()...))...).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}

	written, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(parsed(t, written), parsed(t, served)); diff != "" {
		t.Errorf("run make generate (-committed +served):\n%.4000s", diff)
	}

	text, err := os.ReadFile(strings.TrimSuffix(committed, "json") + "yaml")
	if err != nil {
		t.Fatal(err)
	}

	var other any
	if err := yaml.Unmarshal(text, &other); err != nil {
		t.Fatal(err)
	}

	again, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(parsed(t, written), parsed(t, again)); diff != "" {
		t.Errorf("the YAML is another document:\n%.4000s", diff)
	}

	if _, err := conformance.Load(written); err != nil {
		t.Error(err)
	}
}

func parsed(t *testing.T, text []byte) (doc map[string]any) {
	t.Helper()

	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}

	return doc
}

// The documents of other gateways are valid as well.
func TestDocumentsAreValid(t *testing.T) {
	t.Parallel()

	for name, change := range map[string]func(*config.Config){
		"default":     nil,
		"proto_names": func(c *config.Config) { c.JSON.Names = config.NamesProto },
		"defaults":    func(c *config.Config) { c.JSON.EmitDefaults = true },
		"open_to_all": func(c *config.Config) { c.Auth = config.Auth{Disabled: true} },
		"no_cache":    func(c *config.Config) { c.Cache.Disabled = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			mirrored := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, change, nil)

			gateways := map[string]*bff.Compiled{"mirror": mirrored.Compiled}
			if name != "open_to_all" {
				gateways["site"] = gatewaytest.Start(t, change).Compiled
			}

			for which, compiled := range gateways {
				text, err := compiled.OpenAPI()
				if err != nil {
					t.Fatal(err)
				}

				if _, err := conformance.Load(text); err != nil {
					t.Errorf("%s: %v", which, err)
				}

				differentPaths(t, text)
			}
		})
	}
}

// differentPaths checks that no two paths differ only in the names of their parameters, which makes them the same in OpenAPI.
func differentPaths(t *testing.T, document []byte) {
	t.Helper()

	paths, _ := parsed(t, document)["paths"].(map[string]any)
	shapes, names := map[string]string{}, regexp.MustCompile(`\{[^{}]*\}`)

	for path := range paths {
		shape := names.ReplaceAllString(path, "{}")
		if other, known := shapes[shape]; known {
			t.Errorf("%s and %s are one path", path, other)
		}

		shapes[shape] = path
	}
}

// Routes whose variables are of different fields are one path item, and each says what it sets.
func TestOnePathWithDifferentFields(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, func(c *config.Config) { c.Docs.OpenAPI = config.DocsPublic }, nil)

	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name, In string
				Field    string `json:"x-portico-field"`
			}
		}
	}

	if err := json.Unmarshal([]byte(s.Do(t, http.MethodGet, "/openapi.json", nil, "").Body), &doc); err != nil {
		t.Fatal(err)
	}

	item := doc.Paths["/v1/every/{string_field}"]
	for method, field := range map[string]string{"post": "", "patch": "every.string_field"} {
		if p := item[method].Parameters; len(p) == 0 || p[0].Name != "string_field" || p[0].In != "path" || p[0].Field != field {
			t.Errorf("%s: %v", method, p)
		}

		// What is accepted is compared with the document.
		if res := s.Do(t, strings.ToUpper(method), "/v1/every/a", nil, `{"int32Field":1}`); res.Status != http.StatusOK {
			t.Errorf("%s: %d %s", method, res.Status, res.Body)
		}
	}
}

func TestDocumentIsServed(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(c *config.Config) { c.Docs.OpenAPI = config.DocsPublic })

	var texts [2]map[string]any

	for i, row := range []struct {
		path, mediaType string
		decode          func([]byte, any) error
	}{
		{"/openapi.json", "application/json", json.Unmarshal},
		{"/openapi.yaml", "application/yaml", yaml.Unmarshal},
	} {
		res := s.Do(t, http.MethodGet, row.path, nil, "")
		if res.Status != http.StatusOK || res.Header.Get("Content-Type") != row.mediaType {
			t.Fatalf("%s: %d %v", row.path, res.Status, res.Header)
		}

		if err := row.decode([]byte(res.Body), &texts[i]); err != nil {
			t.Fatal(err)
		}

		tag := res.Header.Get("ETag")
		if len(tag) < 10 || tag[0] != '"' {
			t.Errorf("%s: ETag %q", row.path, tag)
		}

		if again := s.Do(t, http.MethodGet, row.path, http.Header{"If-None-Match": {tag}}, ""); again.Status != http.StatusNotModified ||
			again.Body != "" || again.Header.Get("ETag") != tag {
			t.Errorf("%s: %d %v", row.path, again.Status, again.Header)
		}

		// Once, the first line alone was read, and "*" in a list was any tag.
		for lines, status := range map[string]int{
			`"x"`: http.StatusOK, `"x"|` + tag: http.StatusNotModified, `"a,b"|"y", W/` + tag: http.StatusNotModified,
			"*": http.StatusNotModified, `"x", *`: http.StatusOK, "x": http.StatusOK,
		} {
			header := http.Header{"If-None-Match": strings.Split(lines, "|")}
			if res := s.Do(t, http.MethodGet, row.path, header, ""); res.Status != status {
				t.Errorf("%s with %s: %d", row.path, lines, res.Status)
			}
		}

		// The client asks for gzip where there is a body, and the tag of what is compressed has a suffix.
		head := s.Do(t, http.MethodHead, row.path, nil, "")
		if head.Status != http.StatusOK || head.Body != "" || head.Header.Get("ETag") != strings.Replace(tag, "--gzip", "", 1) {
			t.Errorf("%s: %d %v", row.path, head.Status, head.Header)
		}

		if post := s.Do(t, http.MethodPost, row.path, nil, "{}"); post.Status != http.StatusMethodNotAllowed ||
			post.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: %d %v", row.path, post.Status, post.Header)
		}
	}

	plain, err := json.Marshal(texts[1])
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(texts[0], parsed(t, plain)); diff != "" {
		t.Errorf("(-json +yaml):\n%.2000s", diff)
	}
}

func TestDocumentIsForWhomItIs(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		who              string
		anonymous, alice int
	}{
		"off":           {config.DocsOff, 404, 404},
		"authenticated": {config.DocsAuthenticated, 401, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := gatewaytest.Start(t, func(c *config.Config) { c.Docs.OpenAPI, c.Docs.Page = row.who, row.who })

			for _, path := range []string{"/openapi.json", "/openapi.yaml", "/docs/"} {
				if res := s.Do(t, http.MethodGet, path, nil, ""); res.Status != row.anonymous {
					t.Errorf("%s: %d for anybody", path, res.Status)
				}

				if res := s.Do(t, http.MethodGet, path, s.As(t, "alice"), ""); res.Status != row.alice {
					t.Errorf("%s: %d for alice", path, res.Status)
				}
			}
		})
	}
}
