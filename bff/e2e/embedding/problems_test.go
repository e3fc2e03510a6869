package embedding_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// branded is a hook that gives all errors a type, an own code and no reason. It panics where the request says so.
func branded(r *http.Request, p *bff.Problem) {
	if p.Type != "about:blank" || p.Title == "" || p.Status() < 400 || p.Code() == codes.OK {
		panic("a problem is not complete")
	}

	info, _ := bff.RequestInfoFrom(r.Context())
	if info.ID == "" {
		panic("the request has no id")
	}

	p.Detail = "branded: " + p.Detail
	p.Reason = "BRANDED"
	p.Extensions = map[string]any{"support": []string{"mail", "phone"}, "from_backend": false}

	if st, ok := status.FromError(errors.Unwrap(p.Cause())); ok {
		p.Extensions["from_backend"] = st.Code() == codes.DataLoss
	}

	switch r.Header.Get("X-Hook") {
	case "panic":
		panic("the hook is broken")
	case "faulty":
		p.Type, p.Title, p.Detail = "no uri", "", "bad \xff "+strings.Repeat("x", 2000)
		p.Extensions = map[string]any{"status": 200, "ab": 1, "9lives": 1, "unwritable": func() {}, "fine": 1}
		p.Errors = []bff.FieldError{{In: "nowhere", Field: "f", Description: "d"}}
	default:
		p.Type, p.Title = "https://errors.example.com/any", "An error"
	}
}

func startBranded(t *testing.T) *gatewaytest.Site {
	t.Helper()

	s := gatewaytest.Start(t, func(cfg *config.Config) { cfg.Headers.Request = []string{"X-Hook"} },
		bff.WithProblemHook(branded),
		gatewaytest.WithPage(t, "/own/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "panic") {
				panic("a page is broken")
			}

			w.Header().Set("Cache-Control", "public, max-age=3600")
			w.Header().Set("Etag", `"page"`)
			w.Header().Set("Content-Encoding", "br")
			bff.WriteError(w, r, status.Error(codes.AlreadyExists, "twice"))
		})))
	s.Fail["/user.v1.UserService/GetUser"] = status.Error(codes.Unavailable, "connection refused at 10.0.0.7")

	return s
}

func TestProblemHookSeesAllErrors(t *testing.T) {
	t.Parallel()

	s := startBranded(t)

	for name, row := range map[string]struct {
		method, target, body string
		anonymous            bool
		status               int
	}{
		"no_route":       {http.MethodGet, "/nowhere", "", false, http.StatusNotFound},
		"method":         {http.MethodPut, "/v1/users/alice", "", false, http.StatusMethodNotAllowed},
		"no_credential":  {http.MethodGet, "/v1/users/alice", "", true, http.StatusUnauthorized},
		"owner":          {http.MethodGet, "/v1/users/bob/orders", "", false, http.StatusForbidden},
		"request":        {http.MethodGet, "/v1/users/alice?x=1", "", false, http.StatusBadRequest},
		"body":           {http.MethodPost, "/v1/orders", "{", false, http.StatusBadRequest},
		"backend":        {http.MethodGet, "/v1/users/alice", "", false, http.StatusServiceUnavailable},
		"stream":         {http.MethodGet, "/v1/shelves/none/books", "", false, http.StatusNotFound},
		"page":           {http.MethodGet, "/own/x", "", false, http.StatusConflict},
		"panic":          {http.MethodGet, "/own/panic", "", false, http.StatusInternalServerError},
		"method_of_page": {http.MethodPost, "/own/x", "", false, http.StatusMethodNotAllowed},
	} {
		header := s.As(t, "alice")
		if row.anonymous {
			header = nil
		}

		res := s.Do(t, row.method, row.target, header, row.body)
		doc := res.Problem(t)

		if res.Status != row.status || doc["type"] != "https://errors.example.com/any" || doc["title"] != "An error" ||
			!strings.HasPrefix(doc["detail"].(string), "branded: ") || doc["reason"] != "BRANDED" || doc["support"] == nil {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}

		if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Etag") != "" {
			t.Errorf("%s: %v", name, res.Header)
		}

		if strings.Contains(res.Body, "10.0.0.7") || doc["request_id"] != res.Header.Get("X-Request-Id") {
			t.Errorf("%s: %s", name, res.Body)
		}
	}

	asStatus := s.As(t, "alice")
	asStatus.Set("Accept", `application/json; error="google.rpc.Status"`)

	res := s.Do(t, http.MethodGet, "/nowhere", asStatus, "")
	if !strings.Contains(res.Body, `"message":"branded: `) || !strings.Contains(res.Body, `"reason":"BRANDED"`) || strings.Contains(res.Body, "support") {
		t.Errorf("as a status: %s", res.Body)
	}
}

func TestProblemHookSeesErrorsOfStreams(t *testing.T) {
	t.Parallel()

	s := startBranded(t)

	for accept, want := range map[string]string{
		"application/x-ndjson": `{"error":{"type":"https://errors.example.com/any"`,
		"application/json":     `,{"error":{"type":"https://errors.example.com/any"`,
		"text/event-stream":    "event: error\ndata: {\"type\":\"https://errors.example.com/any\"",
	} {
		header := s.As(t, "alice")
		header.Set("Accept", accept)

		res := s.Do(t, http.MethodGet, "/v1/shelves/torn/books", header, "")
		if res.Status != http.StatusOK || !strings.Contains(res.Body, want) || !strings.Contains(res.Body, `"support":["mail","phone"]`) ||
			strings.Contains(res.Body, "10.0.0.7") {
			t.Errorf("%s: %d %s", accept, res.Status, res.Body)
		}
	}

	// An EventSource gets an error that is temporary as an event.
	s.Fail["/shelf.v1.ShelfService/ListBooks"] = status.Error(codes.Unavailable, "down")

	header := s.As(t, "alice")
	header.Set("Accept", "text/event-stream")

	if res := s.Do(t, http.MethodGet, "/v1/shelves/x/books", header, ""); !strings.Contains(res.Body, "event: reconnect") ||
		!strings.Contains(res.Body, `"reason":"BRANDED"`) {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// A hook that is faulty changes nothing that would be untrue, and the log says what was wrong.
func TestProblemHookThatIsFaulty(t *testing.T) {
	t.Parallel()

	s := startBranded(t)
	header := s.As(t, "alice")

	header.Set("X-Hook", "panic")

	if doc := s.Do(t, http.MethodGet, "/nowhere", header, "").Problem(t); doc["type"] != "about:blank" || doc["detail"] != "no route matches this path" ||
		doc["support"] != nil {
		t.Errorf("%v", doc)
	}

	header.Set("X-Hook", "faulty")

	doc := s.Do(t, http.MethodGet, "/nowhere", header, "").Problem(t)
	if detail := doc["detail"].(string); doc["type"] != "about:blank" || doc["title"] != "Not Found" || len(detail) > 1100 ||
		!strings.HasPrefix(detail, "bad \uFFFD x") || doc["fine"] != float64(1) {
		t.Errorf("%v", doc)
	}

	for _, name := range []string{"ab", "9lives", "unwritable"} {
		if doc[name] != nil {
			t.Errorf("%s is %v", name, doc[name])
		}
	}

	for _, want := range []string{
		"WithProblemHook: panic", "the hook is broken", `type \"no uri\" is not a URI reference`, `extension \"status\": is a member`,
		`extension \"9lives\": must be`, `extension \"unwritable\": json: unsupported type`,
	} {
		if !strings.Contains(s.Logs.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}

// The description of the API says that a hook changes documents.
func TestProblemHookIsDescribed(t *testing.T) {
	t.Parallel()

	cfg := config.Config{Auth: config.Auth{Disabled: true}}

	plain, err := gatewaytest.Compile(t, cfg, gatewaytest.WithShelf()).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}

	edited, err := gatewaytest.Compile(t, cfg, gatewaytest.WithShelf(), bff.WithProblemHook(branded)).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}

	if open := problemSchema(t, plain); open != nil {
		t.Errorf("additionalProperties is %v without a hook", open)
	}

	if open := problemSchema(t, edited); open != true {
		t.Errorf("additionalProperties is %v with a hook", open)
	}
}

// problemSchema returns what the schema of problems in a document says about further members.
func problemSchema(t *testing.T, document []byte) any {
	t.Helper()

	var doc struct {
		Components struct {
			Schemas map[string]struct{ AdditionalProperties any }
		}
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatal(err)
	}

	return doc.Components.Schemas["Problem"].AdditionalProperties
}
