package conformance_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/e2e/conformance"
)

// describing is a document of one operation.
func describing(t *testing.T, path, operation string) *conformance.Checker {
	t.Helper()

	checker, err := conformance.Load([]byte(`{"openapi": "3.1.0", "info": {"title": "t", "version": "1"},
		"paths": {"` + path + `": {"post": {"responses": {"200": {"description": "Success."}}, ` + operation + `}}},
		"components": {"schemas": {"Problem": {"type": "object"}, "Tree": {"type": "object", "required": ["name"], "additionalProperties": false,
			"properties": {"name": {"type": "string", "maxLength": 3}, "left": {"$ref": "#/components/schemas/Tree"}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}

	return checker
}

func body(schema string) string {
	return `"requestBody": {"required": true, "content": {"application/json": {"schema": ` + schema + `}}}`
}

const many = 500

// The values at the limits of a schema are among the bodies, and none beyond them.
func TestRequestsReachLimits(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		schema      string
		some, never []string
	}{
		"integers": {`{"type": "integer", "minimum": 2, "exclusiveMaximum": 9}`, []string{"2", "8"}, []string{"1", "9", "0"}},
		"numbers":  {`{"type": "number", "format": "double"}`, []string{"1.5", "0", "1.7e308"}, nil},
		"int32":    {`{"type": "integer", "format": "int32"}`, []string{"-2147483648", "2147483647", "1.0"}, nil},
		"int64": {
			`{"type": "string", "format": "int64", "pattern": "^-?(0|[1-9][0-9]*)$"}`,
			[]string{`"9223372036854775807"`, `"-9223372036854775808"`},
			[]string{`"007"`},
		},
		"lengths":  {`{"type": "string", "minLength": 2, "maxLength": 4}`, []string{`"aa"`, `"aaaa"`, `"😀😀😀😀"`}, []string{`""`, `"a"`}},
		"patterns": {`{"type": "string", "pattern": "^(a|bc+)[0-9]{2}$"}`, []string{`"a00"`, `"bccc99"`}, []string{`"a"`}},
		"enums":    {`{"type": "string", "enum": ["A", "B"]}`, []string{`"A"`, `"B"`}, []string{`"a"`}},
		"nothing":  {`{"type": ["boolean", "null"]}`, []string{"true", "false", "null"}, nil},
		"choices":  {`{"oneOf": [{"type": "number"}, {"type": "string", "const": "NaN"}]}`, []string{"0", `"NaN"`}, []string{`"a"`}},
		"refused":  {`{"type": "string", "not": {"enum": [".", "a"]}}`, []string{`".."`}, []string{`"."`, `"a"`}},
		"times":    {`{"type": "string", "format": "date-time"}`, []string{`"0001-01-01T00:00:00Z"`}, []string{`"a"`}},
		"lists":    {`{"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}`, []string{"[true]", "[true,true,true]", "[false]"}, []string{"[]"}},
		"sets":     {`{"type": "array", "items": {"type": "boolean"}, "uniqueItems": true}`, []string{"[]", "[true,false]"}, []string{"[true,true]"}},
		"maps": {
			`{"type": "object", "additionalProperties": {"type": "boolean"}, "propertyNames": {"enum": ["x", "y"]}, "minProperties": 1}`,
			[]string{`{"x":true}`, `{"y":true}`, `{"x":false}`},
			[]string{`{}`},
		},
		"oneofs": {
			`{"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "boolean"}, "c": {"type": "null"}, "d": {"type": "null"}},
				"additionalProperties": false, "not": {"required": ["c", "d"], "properties": {"c": {}, "d": {}}},
				"oneOf": [{"required": ["a"], "properties": {"a": {"type": "boolean"}}}, {"required": ["b"], "properties": {"b": {}}}]}`,
			[]string{`{"a":true}`, `{"b":false}`, `{"b":true,"c":null}`, `{"a":true,"d":null}`},
			[]string{`{}`, `{"a":true,"b":true}`, `{"a":true,"c":null,"d":null}`},
		},
		"trees": {
			`{"$ref": "#/components/schemas/Tree"}`,
			[]string{`{"name":"a"}`, `{"name":"aaa"}`, `{"left":{"name":"a"},"name":"a"}`},
			[]string{`{}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			requests, err := describing(t, "/v1", body(row.schema)).Requests(1, many)
			if err != nil {
				t.Fatal(err)
			}

			var bodies []string
			for _, r := range requests {
				bodies = append(bodies, string(r.Body))
			}

			for _, want := range row.some {
				if !slices.Contains(bodies, want) {
					t.Errorf("%s is not among %q", want, bodies)
				}
			}

			for _, never := range row.never {
				if slices.Contains(bodies, never) {
					t.Errorf("%s is not allowed, but among %q", never, bodies)
				}
			}
		})
	}
}

// Parameters are written where they are.
func TestRequestsHaveParameters(t *testing.T) {
	t.Parallel()

	checker := describing(t, "/v1/{name}", `"parameters": [
		{"name": "name", "in": "path", "required": true, "schema": {"type": "string", "enum": ["a/b", ""]}},
		{"name": "list", "in": "query", "required": true, "schema": {"type": "array", "items": {"type": "integer", "enum": [1]}, "minItems": 2}},
		{"name": "x", "in": "query", "schema": {"type": "boolean"}, "description": "At most one of `+"`x`, `y`"+` is there."},
		{"name": "y", "in": "query", "schema": {"type": "boolean"}, "description": "At most one of `+"`x`, `y`"+` is there."},
		{"name": "z.a", "in": "query", "schema": {"enum": ["1"]}, "description": "At most one of `+"`z`, `w`"+` is there."},
		{"name": "z.b", "in": "query", "schema": {"enum": ["2"]}, "description": "At most one of `+"`z`, `w`"+` is there."},
		{"name": "w.a", "in": "query", "schema": {"enum": ["3"]}, "description": "At most one of `+"`z`, `w`"+` is there."},
		{"name": "map", "in": "query", "style": "deepObject", "schema": {"type": "object", "additionalProperties": {"enum": ["v"]}, "propertyNames": {"enum": ["k"]}}},
		{"name": "json", "in": "query", "content": {"application/json": {"schema": {"enum": [{"a": 1}]}}}},
		{"name": "X-Of", "in": "header", "schema": {"type": "string", "enum": ["h", "ü"]}}
	]`)

	requests, err := checker.Requests(1, many)
	if err != nil {
		t.Fatal(err)
	}

	var got []string
	for _, r := range requests {
		got = append(got, strings.TrimSuffix(r.Target+" "+r.Header.Get("X-Of"), " "))
	}

	const least = "/v1/a%2Fb?list=1&list=1"

	want := []string{
		least, "/v1/a%2Fb?json=%7B%22a%22%3A1%7D&list=1&list=1&map%5Bk%5D=v&x=true&z.a=1&z.b=2 h",
		least + "&z.a=1", least + "&z.b=2", "/v1/a%2Fb?list=1&list=1&w.a=3",
		least + "&x=true", least + "&x=false", least + "&y=true", least + "&y=false", least + "&map%5Bk%5D=v",
		"/v1/a%2Fb?json=%7B%22a%22%3A1%7D&list=1&list=1", least + " h",
	}

	slices.Sort(want)

	if got = slices.Compact(slices.Sorted(slices.Values(got))); !cmp.Equal(got, want) {
		t.Errorf("-want +got:\n%s", cmp.Diff(want, got))
	}
}

// The same seed makes the same requests, and an operation without any is named.
func TestRequestsAreTheSameAgain(t *testing.T) {
	t.Parallel()

	load := func() *conformance.Checker { return describing(t, "/v1", body(`{"type": "integer"}`)) }
	first, _ := load().Requests(7, 5)
	again, _ := load().Requests(7, 5)

	if len(first) != 5 || !cmp.Equal(first, again) {
		t.Errorf("got %v, then %v", first, again)
	}

	_, err := describing(t, "/v1", body(`{"type": "string", "pattern": "^a$", "minLength": 2}`)).Requests(1, 5)
	if err == nil || !strings.Contains(err.Error(), "POST /v1") {
		t.Errorf("got %v", err)
	}
}

// Refusals of one kind are one, with the first request.
func TestRefusals(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if string(text) == "1" {
			return
		}

		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"detail": fmt.Sprintf("the body: %q is not one", text)})
	}))
	t.Cleanup(server.Close)

	requests := make([]conformance.Request, 0, 3)
	for i := range 3 {
		requests = append(requests, conformance.Request{Operation: "POST /v1", Method: "POST", Target: "/v1", Body: []byte{byte('1' + i)}})
	}

	refused, err := conformance.Refused(t.Context(), server.Client(), server.URL, requests)
	if err != nil {
		t.Fatal(err)
	}

	want := []conformance.Refusal{{Count: 2, Request: requests[1], Status: 400, Says: `the body: "2" is not one`}}
	if !cmp.Equal(refused, want) {
		t.Errorf("-want +got:\n%s", cmp.Diff(want, refused))
	}
}
