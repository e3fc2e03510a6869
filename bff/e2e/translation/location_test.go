package translation_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	itemv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/item/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// locating is a policy that gives items a Location.
func locating(template string) *porticov1.MethodPolicy {
	return &porticov1.MethodPolicy{Response: &porticov1.Response{Status: 201, Location: template}}
}

// Once, the slashes of resource names were escaped, patterns were refused, and an empty field gave a path without it.
func TestLocationOfResourceNames(t *testing.T) {
	t.Parallel()

	for template, values := range map[string]map[string]string{
		"/v1/{name}": {
			"items/a": "/v1/items/a", "items/a b": "/v1/items/a%20b", "items/a/b": "/v1/items/a/b", "items/": "/v1/items%2F",
		},
		"/v1/{name=items/*}": {"items/a": "/v1/items/a", "items/a b": "/v1/items/a%20b", "items/a/b": "", "items/": ""},
		"/v1/{name=**}":      {"items/a/b": "/v1/items/a/b"},
		"/v1/{red=items/*}": {
			"items/a": "/v1/items/a", "": "", "shelves/1": "", "items/..": "", "items/\u00fc?": "/v1/items/%C3%BC%3F", "items": "",
			"items/a%2Fb": "/v1/items/a%252Fb", "/items/a": "",
		},
		"/v1/{red}":            {"items/a": "/v1/items/a", "a": "/v1/a", "": "", ".": "", "a/../b": "/v1/a%2F..%2Fb", "a/b/c": "/v1/a/b/c"},
		"/v1/items/{red}":      {"a": "/v1/items/a", "a/b": "/v1/items/a%2Fb", "": ""},
		"/v1/items/i-{red}?x":  {"a": "/v1/items/i-a?x", "a:b": "/v1/items/i-a:b?x"},
		"/v1/items?name={red}": {"a/b c": "/v1/items?name=a%2Fb+c", "": ""},
	} {
		t.Run(strings.NewReplacer("/", "_", "?", "_").Replace(template), func(t *testing.T) {
			t.Parallel()

			s := gatewaytest.StartStore(t, locating(template))

			for value, want := range values {
				body := `{"name":"items/a","title":"t","address":{"street":"s","city":"c"},"email":"e","red":"` + value + `"}`
				if strings.Contains(template, "{name") {
					body = strings.Replace(body, `"items/a"`, `"`+value+`"`, 1)
				}

				res := s.Do(t, http.MethodPost, "/v1/items", nil, body)
				if got, known := res.Header["Location"]; res.Status != http.StatusCreated || known != (want != "") || known && got[0] != want {
					t.Errorf("%q: %d, Location %q, want %q: %s", value, res.Status, got, want, res.Body)
				}
			}
		})
	}
}

// A name that makes no path is told in the log, as other headers are that a backend's answer cannot have.
func TestMissingLocationIsLogged(t *testing.T) {
	t.Parallel()

	logs := &gatewaytest.LogBuffer{}
	s := gatewaytest.StartStore(t, locating("/v1/{red}"), logged(logs))

	s.Do(t, http.MethodPost, "/v1/items", nil, `{"name":"items/a","title":"t","address":{"street":"s","city":"c"},"email":"e"}`)

	if got := droppedHeaders(logs.String()); len(got) != 1 || got[0] != "location" {
		t.Errorf("the log says that %q were dropped: %s", got, logs)
	}
}

func TestLocationsThatAreRefused(t *testing.T) {
	t.Parallel()

	for template, want := range map[string]string{
		"/v1/{name=items/}": "the pattern", "/v1/{name=}": "the pattern", "/v1/{name=items/*": "not closed", "/v1/{none=items/*}": "no such field",
		"/v1/{name=**/a/**}": "the pattern",
	} {
		_, err := bff.Compile(config.Config{Auth: config.Auth{Disabled: true}}, bff.WithDefaultPolicy(locating(template)),
			bff.WithHandlers("item", itemv1.RegisterStoreServiceHandler, "item.v1.StoreService"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", template, err)
		}
	}
}
