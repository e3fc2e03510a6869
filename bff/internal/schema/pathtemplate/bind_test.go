package pathtemplate_test

import (
	"maps"
	"testing"
)

func TestBind(t *testing.T) {
	t.Parallel()

	type values = map[string]string

	for _, tt := range []struct {
		name, template, path string
		want                 values
	}{
		{"none", "/v1/users", "/v1/users", nil},
		{"one", "/v1/users/{id}", "/v1/users/7", values{"id": "7"}},
		{"escaped", "/v1/users/{id}", "/v1/users/a%2Fb%3a%C3%BC%2541", values{"id": "a/b:ü%41"}},
		{"verb", "/v1/users/{id}:lock", "/v1/users/a:b:lock", values{"id": "a:b"}},
		{"verb-with-colon", "/v1/users/{id}:lock:now", "/v1/users/7:lock:now", values{"id": "7"}},
		{"two", "/v1/users/{u.id}/orders/{o}", "/v1/users/7/orders/8", values{"u.id": "7", "o": "8"}},
		{"wildcards-between", "/v1/*/{a}/*/{b}", "/v1/x/1/y/2", values{"a": "1", "b": "2"}},
		{"literal-in-variable", "/v1/{kind=users}/x", "/v1/users/x", values{"kind": "users"}},
		{"name", "/v1/{name=shelves/*/books/*}:move", "/v1/shelves/1/books/2:move", values{"name": "shelves/1/books/2"}},
		{"name-keeps-slashes", "/v1/{name=shelves/*}", "/v1/shelves/a%2fb%3A%2F", values{"name": "shelves/a%2fb:%2F"}},
		{"name-beside-another", "/v1/{name=shelves/*}/{x}", "/v1/shelves/a%2Fb/c%2F", values{"name": "shelves/a/b", "x": "c/"}},
		{"rest", "/v1/{path=**}", "/v1/a/b%2Fc%20d%3b", values{"path": "a/b%2Fc d%3b"}},
		{"rest-of-none", "/v1/{path=**}", "/v1", values{"path": ""}},
		{"rest-of-empty", "/v1/{path=**}", "/v1/", values{"path": ""}},
		{"rest-before", "/v1/{path=**}/raw/{v}", "/v1/a/b/raw/2", values{"path": "a/b", "v": "2"}},
		{"rest-of-none-before", "/v1/{path=**}/raw/{v}", "/v1/raw/2", values{"path": "", "v": "2"}},
		{"rest-without-name", "/{a}/**/{b}/{c}", "/1/x/y/2/3", values{"a": "1", "b": "2", "c": "3"}},
		{"rest-of-empty-segments", "/v1/{path=**}", "/v1//a//b/", values{"path": "/a//b/"}},
		{"rest-in-name", "/v1/{name=a/*/**/b}", "/v1/a/%2F/%2F/c/b", values{"name": "a/%2F/%2F/c/b"}},
		{"rest-in-name-beside-another", "/v1/{name=*/**}/{x}", "/v1/%2F/a%2Fb/c%2F", values{"name": "%2F/a%2Fb", "x": "c/"}},
		{"rest-of-none-in-name", "/v1/{name=a/**/b}", "/v1/a/b", values{"name": "a/b"}},
		{"rest-of-none-ends-name", "/v1/{name=a/**}", "/v1/a", values{"name": "a"}},
		{"rest-of-none-with-verb", "/{x=*/**}:v", "/a%3A:v", values{"x": "a:"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			template := mustParse(t, tt.template)
			if !template.Match(tt.path) {
				t.Fatalf("%s does not match %s", template, tt.path)
			}

			if got := template.Bind(tt.path); !maps.Equal(got.Map(), tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFixedSlashes(t *testing.T) {
	t.Parallel()

	want := map[string]int{"b": 1, "d": 2}
	if got := mustParse(t, "/{a}/{b=x/*}/{c=*/**}/{d=*/*/y}").FixedSlashes(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestExampleMatches(t *testing.T) {
	t.Parallel()

	for _, template := range templates {
		if parsed := mustParse(t, template); !parsed.Match(parsed.Example()) {
			t.Errorf("%s does not match %s", parsed, parsed.Example())
		}
	}
}
