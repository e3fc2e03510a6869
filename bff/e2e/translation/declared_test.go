package translation_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// The rules of the protos are checked before the call, all at once, and each fault is placed where the client gave the value.
func TestRules(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirror(t, nil)

	for _, row := range []struct{ target, body, errors string }{
		{
			"/v1/check", `{"name":"toolong","pageSize":101,"innerList":[{},{"shortText":"long"}],"byName":{"a b":{"shortText":"long"}}}`,
			`[{"in":"body","field":"name","description":"must be at most 5 characters"},
			{"in":"body","field":"pageSize","description":"must be less than or equal to 100"},
			{"in":"body","field":"innerList[1].shortText","description":"must be at most 3 characters"},
			{"in":"body","field":"byName[\"a b\"].shortText","description":"must be at most 3 characters"}]`,
		},
		{"/v1/check", `{"name":"a","note":"a"}`, `[{"in":"body","field":"","description":"the name must not be the note"}]`},
		{
			"/v1/check/toolong?pageSize=101", `{"shortText":"long"}`,
			`[{"in":"path","field":"name","description":"must be at most 5 characters"},
			{"in":"query","field":"pageSize","description":"must be less than or equal to 100"},
			{"in":"body","field":"shortText","description":"must be at most 3 characters"}]`,
		},
	} {
		res := s.Do(t, http.MethodPost, row.target, nil, row.body)
		doc := res.Problem(t)

		got, err := json.Marshal(doc["errors"])
		if err != nil {
			t.Fatal(err)
		}

		if sameJSON(t, row.target+" "+row.body, string(got), row.errors); res.Status != http.StatusBadRequest {
			t.Errorf("%d", res.Status)
		}
	}

	if res := s.Do(t, http.MethodPost, "/v1/check", nil, `{"name":"a"}`); res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

func TestStatusAndLocation(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	created := s.Do(t, http.MethodPost, "/v1/orders", s.As(t, "alice"), gatewaytest.AnOrder)
	if created.Status != http.StatusCreated || created.Header.Get("Location") != "/v1/orders/o1" || !strings.Contains(created.Body, `"orderId"`) {
		t.Errorf("%d %v %s", created.Status, created.Header, created.Body)
	}

	deleted := s.Do(t, http.MethodDelete, "/v1/users/alice", s.As(t, "alice"), "")
	if deleted.Status != http.StatusNoContent || deleted.Body != "" || deleted.Header.Get("Content-Type") != "" ||
		deleted.Header.Get("Content-Length") != "" {
		t.Errorf("%d %v %q", deleted.Status, deleted.Header, deleted.Body)
	}

	// Errors keep their status.
	s.Do(t, http.MethodPost, "/v1/orders", s.As(t, "alice"), "{}").Problem(t)
}

// Headers set fields and metadata becomes headers, as the policy says and no further.
func TestDeclaredHeaders(t *testing.T) {
	t.Parallel()

	check := func(policy *porticov1.MethodPolicy) *gatewaytest.Site {
		return gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, nil, policy)
	}
	s := check(&porticov1.MethodPolicy{Response: &porticov1.Response{Headers: []string{"ETag"}}})

	res := s.Do(t, http.MethodPost, "/v1/check", nil, `{"note":"v1"}`)
	if res.Header.Get("Etag") != `"v1"` || res.Header.Get("X-Secret") != "" || res.Header.Get("Location") != "" {
		t.Errorf("%v", res.Header)
	}

	_, err := bff.Compile(config.Config{Auth: config.Auth{Disabled: true}},
		bff.WithHandlers("every", everyv1.RegisterEveryServiceHandler, "every.v1.EveryService"),
		bff.WithDefaultPolicy(&porticov1.MethodPolicy{
			Response: &porticov1.Response{Status: 204, Location: "x \u00fc/{none}", Headers: []string{"Connection", "a b"}},
			Headers:  []*porticov1.HeaderBinding{{Header: "If-Match", Field: "none"}, {Header: "Te", Field: "strings"}},
		}))

	for _, want := range []string{
		"response.status: 204 has no body, but the response is a every.v1.Every", `field "none" of every.v1.Every: there is no such field`,
		`must begin with "/"`, "has a character that must be escaped", `"connection" cannot be a header of a response`, `"a b" cannot be a header`,
		`headers[0].field: field "none" of every.v1.Every`, `headers[1].header: "Te" cannot set a field`, "can hold more than one value",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// Every document that the codec is tested with, through the gateway.
func TestEveryDocumentThroughTheGateway(t *testing.T) {
	t.Parallel()

	lines := gatewaytest.ReadLines(t, "../../internal/protojson/testdata/every.txt")

	const atLeast = 300
	if len(lines)/2 < atLeast {
		t.Fatalf("only %d documents", len(lines)/2)
	}

	for version, s := range gatewaytest.StartMirror(t, nil).Versions(t) {
		t.Run(strings.ReplaceAll(version, "/", ""), func(t *testing.T) {
			t.Parallel()
			testDocuments(t, s, lines)
		})
	}
}

func testDocuments(t *testing.T, s *gatewaytest.Site, lines []string) {
	t.Helper()

	for i := 0; i+1 < len(lines); i += 2 {
		body, want := lines[i], strings.TrimPrefix(lines[i+1], "\t")
		if body == "" {
			continue // No body is none that is wrong.
		}

		res := s.Do(t, http.MethodPost, "/v1/every", nil, body)

		reason, fault := strings.CutPrefix(want, "fault: ")
		if !fault {
			sameJSON(t, body, res.Body, want)

			continue
		}

		if detail, _ := res.Problem(t)["detail"].(string); res.Status != http.StatusBadRequest || !strings.HasSuffix(detail, reason) {
			t.Errorf("%s: %d %s, want %s", body, res.Status, res.Body, reason)
		}
	}
}
