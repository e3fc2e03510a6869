package problem_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

var update = flag.Bool("update", false, "write the golden files")

// request is one with a record.
func request(target string) (*http.Request, *reqinfo.Record) {
	rec := &reqinfo.Record{ID: "req-12345678"}
	r := httptest.NewRequest(http.MethodGet, target, nil)

	return r.WithContext(reqinfo.NewContext(r.Context(), rec)), rec
}

func TestDocumentsAsClientsSeeThem(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		target string
		err    error
	}{
		{"not_found", "/v1/orders/ord_1", status.Error(codes.NotFound, "no such order")},
		{"internal", "/v1/orders", errors.New(secret)},
		{"unavailable", "/v1/orders?page_size=3", detailed(t, codes.Unavailable, secret,
			&errdetails.RetryInfo{RetryDelay: durationpb.New(1200 * time.Millisecond)})},
		{"unauthenticated", "/v1/me/dashboard", status.Error(codes.Unauthenticated, secret)},
		{"body_too_large", "/v1/orders", &http.MaxBytesError{Limit: 1 << 20}},
		{"method_not_allowed", "/v1/orders", problem.WithStatus(http.StatusMethodNotAllowed, codes.Unimplemented,
			"the path does not allow PUT")},
		{"invalid_fields", "/v1/orders", detailed(t, codes.InvalidArgument, "the request has invalid fields",
			&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
				{Field: "items[0].unit_price", Description: `must not be "<negative>" & co.`},
				{Field: `labels["gift_wrap"]`, Description: "must not be empty"},
			}})},
		{"all_details", "/v1/orders", everything(t, codes.FailedPrecondition, "the order cannot be placed")},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			w := httptest.NewRecorder()
			r, _ := request(tt.target)
			problem.Write(w, r, problem.From(tt.err), tt.err)

			golden(t, tt.name+".json", answer(t, w.Result()))
		})
	}
}

// answer prints a response as the golden files keep it: status and headers beside the document.
func answer(tb testing.TB, resp *http.Response) []byte {
	tb.Helper()

	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}

	var text bytes.Buffer

	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")

	err = enc.Encode(map[string]any{"status": resp.StatusCode, "header": resp.Header, "body": json.RawMessage(body)})
	if err != nil {
		tb.Fatalf("%v in %s", err, body)
	}

	return text.Bytes()
}

func golden(tb testing.TB, name string, got []byte) {
	tb.Helper()

	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			tb.Fatal(err)
		}
	}

	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}

	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		tb.Errorf("%s (go test -update writes it again):\n%s", path, diff)
	}
}

func TestWriteSetsAndDropsHeaders(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name    string
		problem *problem.Problem
		before  map[string]string
		header  string
		want    string
	}{
		{"media_type", problem.New(codes.NotFound, ""), nil, "Content-Type", problem.ContentType},
		{
			"media_type_of_the_answer_that_did_not_come", problem.New(codes.NotFound, ""),
			map[string]string{"Content-Type": "application/json"},
			"Content-Type", problem.ContentType,
		},
		{"challenge_on_401", problem.New(codes.Unauthenticated, ""), nil, "Www-Authenticate", "Bearer"},
		{
			"challenge_that_stands_already", problem.New(codes.Unauthenticated, ""),
			map[string]string{"WWW-Authenticate": `Bearer error="invalid_token"`},
			"Www-Authenticate", `Bearer error="invalid_token"`,
		},
		{"no_challenge_on_403", problem.New(codes.PermissionDenied, ""), nil, "Www-Authenticate", ""},
		{
			"no_trailer", problem.New(codes.Internal, ""),
			map[string]string{"Trailer": "Grpc-Trailer-X"},
			"Trailer", "",
		},
		{
			"no_transfer_encoding", problem.New(codes.Internal, ""),
			map[string]string{"Transfer-Encoding": "chunked"},
			"Transfer-Encoding", "",
		},
		{
			"no_length_of_something_else", problem.New(codes.Internal, ""),
			map[string]string{"Content-Length": "3"},
			"Content-Length", "",
		},
		{"other_headers_stay", problem.New(codes.Internal, ""), map[string]string{"Allow": "GET"}, "Allow", "GET"},
		{"no_delay_unless_known", problem.New(codes.Unavailable, ""), nil, "Retry-After", ""},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			w := httptest.NewRecorder()
			for name, value := range tt.before {
				w.Header().Set(name, value)
			}

			r, _ := request("/")
			problem.Write(w, r, tt.problem, nil)

			if got := strings.Join(w.Result().Header[tt.header], "|"); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.header, got, tt.want)
			}
		})
	}
}

func TestWriteNotesTheOutcomeOnTheRecord(t *testing.T) {
	t.Parallel()

	cause := errors.New(secret)
	p := problem.New(codes.Unavailable, "later")

	w := httptest.NewRecorder()
	r, rec := request("/v1/orders")
	problem.Write(w, r, p, cause)

	if code, got := rec.Outcome(); code != codes.Unavailable || !errors.Is(got, cause) {
		t.Errorf("got %s, %v", code, got)
	}

	if p.RequestID != "" || p.Instance != "" {
		t.Errorf("a problem that may be shared between requests was written to: %+v", p)
	}
}

func TestInstanceIsClipped(t *testing.T) {
	t.Parallel()

	w := httptest.NewRecorder()
	r, _ := request("/" + strings.Repeat("%20", 1<<12) + "?token=" + secret[:4])
	problem.Write(w, r, problem.New(codes.NotFound, ""), nil)

	var doc problem.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}

	if want := "/" + strings.Repeat("%20", 85) + "…"; doc.Instance != want {
		t.Errorf("got %q", doc.Instance)
	}
}

func TestSecondsRoundsUp(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		d    time.Duration
		want string
	}{
		{"nanosecond", 1, "1"},
		{"second", time.Second, "1"},
		{"bit_more", time.Second + 1, "2"},
		{"hour", time.Hour, "3600"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := problem.Seconds(tt.d); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestProblemIsAnError(t *testing.T) {
	t.Parallel()

	p := problem.Newf(codes.NotFound, "no %s", "order")
	if got := p.Error(); got != "NOT_FOUND: no order" {
		t.Errorf("got %q", got)
	}
}
