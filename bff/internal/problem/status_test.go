package problem_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

func TestStatusesAsClientsSeeThem(t *testing.T) {
	t.Parallel()

	limited := problem.New(codes.ResourceExhausted, `the rate limit "client" is reached`)
	limited.RetryAfter = 2e9

	tests := []struct {
		name    string
		problem *problem.Problem
	}{
		{"status_all_details", problem.From(everything(t, codes.FailedPrecondition, "the order cannot be placed"))},
		{"status_internal", problem.From(everything(t, codes.Internal, secret))},
		{"status_unauthenticated", problem.New(codes.Unauthenticated, "an access token is needed")},
		{"status_resource_exhausted", limited},
		{"status_without_a_detail", problem.WithStatus(http.StatusMethodNotAllowed, codes.Unimplemented, "")},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			w := written(tt.problem, forms["status"])
			golden(t, tt.name+".json", answer(t, w.Result()))

			var compact bytes.Buffer
			if err := json.Compact(&compact, w.Body.Bytes()); err != nil || compact.String()+"\n" != w.Body.String() {
				t.Errorf("has white space (%v): %q", err, w.Body)
			}
		})
	}
}

func TestStatusSaysWhatTheDocumentSays(t *testing.T) {
	t.Parallel()

	want := problem.From(everything(t, codes.FailedPrecondition, "the order cannot be placed"))

	var st rpcstatus.Status
	if err := protojson.Unmarshal(written(want, forms["status"]).Body.Bytes(), &st); err != nil {
		t.Fatal(err)
	}

	got := problem.From(status.FromProto(&st).Err())
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(problem.Problem{})); diff != "" {
		t.Error(diff)
	}

	last := status.FromProto(&st).Details()[len(st.GetDetails())-1]
	if info, ok := last.(*errdetails.RequestInfo); !ok || info.GetRequestId() != "req-12345678" {
		t.Errorf("the request is not named but %v", last)
	}
}

// The gateway's own texts may repeat what a client sent, and protobuf refuses what encoding/json mends.
func TestStatusOfTextsThatAreNotUTF8(t *testing.T) {
	t.Parallel()

	p := problem.New(codes.InvalidArgument, "the query parameter caf\xe9")
	p.Errors = []problem.FieldError{{In: "query", Field: "caf\xe9", Description: "caf\xe9"}}

	const want = `{"code":3,"message":"the query parameter caf` + "\uFFFD" + `","details":[` +
		`{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"caf` + "\uFFFD" + `","description":"caf` + "\uFFFD" +
		`"}]},{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"req-12345678"}]}` + "\n"
	if got := written(p, forms["status"]).Body.String(); got != want {
		t.Errorf("got %s", got)
	}
}

func TestFormGoesByAccept(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		accept []string
		status bool
	}{
		{"none", nil, false},
		{"empty", []string{""}, false},
		{"anything", []string{"*/*"}, false},
		{"plain_json", []string{"application/json"}, false},
		{"status", []string{`application/json; error="google.rpc.Status"`}, true},
		{"status_without_quotes_or_space", []string{`application/json;error=google.rpc.Status`}, true},
		{"status_in_other_case", []string{`Application/JSON; Error="GOOGLE.RPC.STATUS"`}, true},
		{"status_first", []string{`application/json;error="google.rpc.Status", */*;q=0.1`}, true},
		{"status_last", []string{`text/html, application/problem+json;q=0.5,application/json;q=0.1;error="google.rpc.Status"`}, true},
		{"status_on_another_line", []string{"text/html", `application/json;error="google.rpc.Status"`}, true},
		{"status_after_a_comma_in_quotes", []string{`text/html;title="a\",b", application/json;error="google.rpc.Status"`}, true},
		{"status_within_quotes", []string{`text/html;title="a,application/json;error=google.rpc.Status,b"`}, false},
		{"status_with_other_parameters", []string{`application/json;charset=utf-8;error="google.rpc.Status"`}, true},
		{"status_refused", []string{`application/json;error="google.rpc.Status";q=0.000`}, false},
		{"status_of_weight_one", []string{`application/json;error="google.rpc.Status";q=1`}, true},
		{"another_error_format", []string{`application/json;error="google.rpc.Code"`}, false},
		{"another_media_type", []string{`application/problem+json;error="google.rpc.Status"`}, false},
		{"a_wildcard", []string{`application/*;error="google.rpc.Status", */*;error="google.rpc.Status"`}, false},
		{"broken", []string{`application/json;error="google.rpc.Status`}, false},
		{"broken_beside_another", []string{`;;=, application/json;error=google.rpc.Status`}, true},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			w := httptest.NewRecorder()
			w.Header().Set("Vary", "Origin")

			r, _ := request("/v1/orders")
			r.Header["Accept"] = tt.accept
			problem.Write(w, r, problem.New(codes.NotFound, "no such order"), nil)

			contentType, vary := problem.ContentType, []string{"Origin"}
			if tt.status {
				contentType, vary = "application/json", []string{"Origin", "Accept"}
			}

			if got := w.Header().Get("Content-Type"); got != contentType || w.Code != http.StatusNotFound {
				t.Errorf("got %d %s, want %s", w.Code, got, contentType)
			}

			if got := w.Header().Values("Vary"); !slices.Equal(got, vary) {
				t.Errorf("varies by %q, want %q", got, vary)
			}
		})
	}
}

func FuzzAccept(f *testing.F) {
	f.Add(`application/json; error="google.rpc.Status"`)
	f.Add(`text/html;q=0.5, "a\",b";x, application/json;error=google.rpc.status;q=nan`)
	f.Add(`",\`)

	f.Fuzz(func(t *testing.T, accept string) {
		w := written(problem.New(codes.NotFound, "no such order"), accept)
		form := w.Header().Get("Content-Type")

		if !json.Valid(w.Body.Bytes()) || form != problem.ContentType && form != "application/json" {
			t.Errorf("got %s %s", form, w.Body)
		}

		// What comes later cannot undo it.
		if got := written(problem.New(codes.NotFound, ""), forms["status"]+","+accept); got.Header().Get("Content-Type") != "application/json" {
			t.Errorf("got %s", got.Body)
		}
	})
}

func TestDocumentIsWhatWriteWrites(t *testing.T) {
	t.Parallel()

	p := problem.From(everything(t, codes.NotFound, "no such order"))

	for form, accept := range forms {
		r, rec := request("/v1/orders/ord_1?token=" + secret[:4])
		r.Header.Set("Accept", accept)

		doc := string(p.Document(r))
		if code, cause := rec.Outcome(); code != codes.OK || cause != nil {
			t.Errorf("%s: noted %s, %v", form, code, cause)
		}

		r.Header.Del("Accept")

		w := httptest.NewRecorder()
		problem.Write(w, r, p, nil)

		if doc+"\n" != w.Body.String() {
			t.Errorf("%s: got %q, want %q", form, doc, w.Body)
		}
	}

	if p.RequestID != "" || p.Instance != "" {
		t.Errorf("a problem that may be shared between requests was written to: %+v", p)
	}
}
