package conformance_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/conformance"
)

// document describes two operations as the gateway describes its own.
const document = `{
  "openapi": "3.1.0", "info": {"title": "t", "version": "1"},
  "paths": {
    "/v1/things/{id}": {
      "get": {
        "parameters": [
          {"name": "id", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^[a-z]+$"}},
          {"name": "size", "in": "query", "schema": {"type": "integer", "maximum": 9}},
          {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "string", "minLength": 2}}},
          {"name": "labels", "in": "query", "style": "deepObject", "schema": {"type": "object", "additionalProperties": {"type": "integer"}}}
        ],
        "responses": {
          "200": {
            "description": "d",
            "headers": {"X-Request-Id": {"required": true, "schema": {"type": "string"}}, "Age": {"schema": {"type": "integer"}}},
            "content": {
              "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}},
              "application/x-ndjson": {"schema": {"type": "string"}, "x-itemSchema": {"$ref": "#/components/schemas/Thing"}},
              "text/event-stream": {"schema": {"type": "string"}, "x-itemSchema": {"$ref": "#/components/schemas/Thing"}}
            }
          },
          "404": {"$ref": "#/components/responses/NotFound"}, "default": {"$ref": "#/components/responses/Error"}
        }
      }
    },
    "/v1/things/{id}:paint": {
      "post": {
        "parameters": [
          {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
          {"name": "If-Match", "in": "header", "required": true, "schema": {"type": "string"}}
        ],
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
        "responses": {"204": {"description": "d"}}
      }
    }
  },
  "components": {
    "schemas": {
      "Thing": {
        "type": "object", "required": ["name"], "additionalProperties": false,
        "properties": {"name": {"type": "string"}, "at": {"type": "string", "format": "date-time"}, "n": {"type": "integer", "format": "int32"}}
      },
      "Problem": {"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}}}
    },
    "responses": {
      "Error": {"description": "d", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}},
      "NotFound": {"description": "d", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}},
      "MethodNotAllowed": {
        "description": "d", "headers": {"Allow": {"required": true, "schema": {"type": "string"}}},
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
      }
    }
  }
}`

const (
	problemType = "application/problem+json"
	aProblem    = `{"title":"t"}`
)

func mustLoad(t *testing.T) *conformance.Checker {
	t.Helper()

	c, err := conformance.Load([]byte(document))
	if err != nil {
		t.Fatal(err)
	}

	return c
}

// answer is that of a thing, in JSON unless the header says otherwise.
func answer(body string, header ...string) conformance.Message {
	m := conformance.Message{Header: http.Header{"X-Request-Id": {"r"}, "Content-Type": {"application/json"}}, Body: []byte(body)}

	for i := 0; i+1 < len(header); i += 2 {
		m.Header.Set(header[i], header[i+1])
	}

	return m
}

func problem(body string, header ...string) conformance.Message {
	return answer(body, append([]string{"Content-Type", problemType, "X-Request-Id", "r"}, header...)...)
}

func TestAnswers(t *testing.T) {
	t.Parallel()

	c := mustLoad(t)

	const path = "/v1/things/a"

	for name, row := range map[string]struct {
		method, path string
		status       int
		answer       conformance.Message
		want         string
	}{
		"fine":                  {"GET", path, 200, answer(`{"name":"n","at":"2026-01-02T03:04:05Z"}`), ""},
		"head":                  {"HEAD", path, 200, answer(""), ""},
		"body_of_head":          {"HEAD", path, 200, answer(`{"name":"n"}`), "there can be none"},
		"status":                {"GET", path, 409, problem(aProblem), "the status 409 is not in the document"},
		"of_the_edge":           {"GET", path, 408, withoutID(problem(aProblem)), ""},
		"schema":                {"GET", path, 200, answer(`{"name":7}`), "got number, want string"},
		"missing_member":        {"GET", path, 200, answer(`{}`), "missing property 'name'"},
		"unknown_member":        {"GET", path, 200, answer(`{"name":"n","x":1}`), "additional properties 'x' not allowed"},
		"format":                {"GET", path, 200, answer(`{"name":"n","at":"now"}`), "date-time"},
		"range":                 {"GET", path, 200, answer(`{"name":"n","n":2147483648}`), "int32"},
		"no_json":               {"GET", path, 200, answer(`{`), "is not valid JSON"},
		"media_type":            {"GET", path, 200, answer("x", "Content-Type", "text/plain"), "text/plain is not in the document"},
		"header_missing":        {"GET", path, 200, withoutID(answer(`{"name":"n"}`)), "the header X-Request-Id is missing"},
		"header_wrong":          {"GET", path, 200, answer(`{"name":"n"}`, "Age", "old"), "the header Age"},
		"header_unknown":        {"GET", path, 200, answer(`{"name":"n"}`, "X-Secret", "s"), "the header X-Secret is not in the document"},
		"problem":               {"GET", path, 404, withoutID(problem(`{}`)), "missing property 'title'"},
		"unrouted":              {"GET", "/v1/nowhere", 404, withoutID(problem(aProblem)), ""},
		"unrouted_success":      {"GET", "/v1/nowhere", 200, answer(`{}`), "no such operation"},
		"unrouted_but_there":    {"PUT", path, 404, withoutID(problem(aProblem)), "404 where the document has [GET]"},
		"other_method":          {"PUT", path, 405, withoutID(problem(aProblem, "Allow", "GET")), ""},
		"other_method_unsaid":   {"PUT", path, 405, withoutID(problem(aProblem)), "the header Allow is missing"},
		"preflight":             {"OPTIONS", path, 204, answer(""), ""},
		"lines":                 {"GET", path, 200, lines("{\"name\":\"a\"}\n\n{\"error\":{\"title\":\"t\"}}\n"), ""},
		"line_wrong":            {"GET", path, 200, lines("{\"name\":\"a\"}\n{}\n"), "line 2"},
		"line_after_error":      {"GET", path, 200, lines("{\"error\":{\"title\":\"t\"}}\n{\"name\":\"a\"}\n"), "comes after an error"},
		"events":                {"GET", path, 200, events("id: 1\ndata: {\"name\":\"a\"}\n\n:\n\nevent: end\ndata: {}\n\n"), ""},
		"events_to_resume":      {"GET", path, 200, events("retry: 1000\ndata: {\"name\":\"a\"}\n\nevent: reconnect\nretry: 1000\ndata: {\"title\":\"t\"}\n\n"), ""},
		"event_after_reconnect": {"GET", path, 200, events("event: reconnect\ndata: {\"title\":\"t\"}\n\nevent: end\ndata: {}\n\n"), "comes after"},
		"event_wrong":           {"GET", path, 200, events("data: {}\n\nevent: end\ndata: {}\n\n"), "event 1"},
		"events_without_an_end": {"GET", path, 200, events("data: {\"name\":\"a\"}\n\n"), "have no end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, c.Check(conformance.Exchange{Method: row.method, Path: row.path, Status: row.status, Answer: row.answer}), row.want)
		})
	}
}

func withoutID(m conformance.Message) conformance.Message {
	m.Header.Del("X-Request-Id")

	return m
}

func lines(body string) conformance.Message {
	return answer(body, "Content-Type", "application/x-ndjson")
}

func events(body string) conformance.Message {
	return answer(body, "Content-Type", "text/event-stream")
}

// same compares an error with a part of its text; empty: there is none.
func same(t *testing.T, err error, want string) {
	t.Helper()

	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()

	c := mustLoad(t)

	const path, paint = "/v1/things/a", "/v1/things/a:paint"

	for name, row := range map[string]struct {
		method, path, query, body string
		header                    http.Header
		want                      string
	}{
		"fine":                {"GET", path, "size=9&tags=ab&tags=cd&labels%5Bx%5D=1&utm_source=s", "", nil, ""},
		"path":                {"GET", "/v1/things/7", "", "", nil, "the path parameter id"},
		"escaped":             {"GET", "/v1/things/%61", "", "", nil, ""},
		"query":               {"GET", path, "size=10", "", nil, "the query parameter size"},
		"query_type":          {"GET", path, "size=x", "", nil, "the query parameter size"},
		"query_twice":         {"GET", path, "size=1&size=2", "", nil, "is set more than once"},
		"query_unknown":       {"GET", path, "sise=1", "", nil, "the query parameter sise: is not in the document"},
		"element":             {"GET", path, "tags=ab&tags=c", "", nil, "the query parameter tags"},
		"entry":               {"GET", path, "labels%5Bx%5D=y", "", nil, "labels[x]"},
		"body_of_get":         {"GET", path, "", `{"a":1}`, nil, "that the document does not know"},
		"verb":                {"POST", paint, "", `{"name":"n"}`, http.Header{"If-Match": {"x"}}, ""},
		"header":              {"POST", paint, "", `{"name":"n"}`, nil, "the header If-Match is missing"},
		"body_missing":        {"POST", paint, "", "", http.Header{"If-Match": {"x"}}, "there is no body"},
		"body_wrong":          {"POST", paint, "", `{"name":1}`, http.Header{"If-Match": {"x"}}, "got number, want string"},
		"body_of_other_types": {"POST", paint, "", "x", http.Header{"If-Match": {"x"}, "Content-Type": {"text/plain"}}, "text/plain"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := conformance.Exchange{
				Method: row.method, Path: row.path, Query: row.query, Status: http.StatusNoContent,
				Request: conformance.Message{Header: row.header, Body: []byte(row.body)}, Answer: conformance.Message{Header: http.Header{}},
			}
			if row.method == http.MethodGet {
				e.Status, e.Answer = http.StatusOK, answer(`{"name":"n"}`)
			}

			same(t, c.Check(e), row.want)
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()

	for name, row := range map[string][3]string{
		"no_json":        {document, "{", "read the document"},
		"meta_schema":    {`"title": "t", `, "", "missing property 'title'"},
		"schema":         {`"maximum": 9`, `"maximum": "9"`, "want number"},
		"lost_reference": {`"$ref": "#/components/schemas/Thing"`, `"$ref": "#/components/schemas/Other"`, "Other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := conformance.Load([]byte(strings.Replace(document, row[0], row[1], 1)))
			same(t, err, row[2])
		})
	}
}

// Both the server's and the client's side see all that goes by, and change nothing.
func TestTally(t *testing.T) {
	t.Parallel()

	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)

		if r.URL.Path == "/openapi.json" {
			_, _ = io.WriteString(w, document)

			return
		}

		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-Id", "r")
		_, _ = io.WriteString(w, `{"name":`+r.URL.Query().Get("size")+`}`)
	})

	var server, client conformance.Tally

	s := httptest.NewServer(server.Handler(handler, t.Name(), []string{"/openapi.json"}, func() (*conformance.Checker, error) {
		return server.Load([]byte(document))
	}))
	defer s.Close()

	c := &http.Client{Transport: &conformance.Transport{Next: s.Client().Transport, Tally: &client}}

	for _, query := range []string{"7", `"n"`} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/things/a?size="+strings.ReplaceAll(query, `"`, "%22"), nil)
		if err != nil {
			t.Fatal(err)
		}

		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}

		text, err := io.ReadAll(res.Body)
		if err != nil || string(text) != `{"name":`+query+`}` {
			t.Errorf("%q %v", text, err)
		}

		_ = res.Body.Close()
	}

	for side, tally := range map[string]*conformance.Tally{"server": &server, "client": &client} {
		summary, differences := tally.Summary()
		if differences != 2 || !strings.Contains(summary, "2 exchanges checked (0 in part) against 1 documents") {
			t.Errorf("%s: %s", side, summary)
		}
	}
}
