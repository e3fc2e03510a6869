package problem_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// everything is a status with details of all kinds: those that are for callers, and those that are not, which hold the secret.
func everything(tb testing.TB, code codes.Code, message string) error {
	tb.Helper()

	return withUnknown(tb, detailed(tb, code, message,
		&errdetails.DebugInfo{StackEntries: []string{secret}, Detail: secret},
		&errdetails.RequestInfo{RequestId: secret, ServingData: secret},
		wrapperspb.String(secret),
		&errdetails.ErrorInfo{
			Reason: "OUT_OF_STOCK", Domain: "orders.example.com",
			Metadata: map[string]string{"product_id": "prd_1", "inStock": "0"},
		},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "line_items[0].quantity", Description: "must be at most 0", Reason: "TOO_MANY"},
			{Field: "note", Description: "is rude"},
		}},
		&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{
			Subject: "user:usr_1", Description: "10 orders a day", ApiService: secret, QuotaMetric: secret, QuotaId: secret,
			QuotaDimensions: map[string]string{secret: secret},
		}}},
		&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{
			{Type: "TOS", Subject: "example.com/terms", Description: "the terms of service are not accepted"},
		}},
		&errdetails.ResourceInfo{ResourceType: "product", ResourceName: "products/prd_1", Owner: "usr_2", Description: "is sold out"},
		&errdetails.Help{Links: []*errdetails.Help_Link{{Description: "what to do", Url: "https://example.com/help?a=1&b=2"}}},
		&errdetails.LocalizedMessage{Locale: "de-CH", Message: "Das ist ausverkauft."},
	))
}

// withUnknown adds a detail of a type that is not linked in, and one that is broken.
func withUnknown(tb testing.TB, err error) error {
	tb.Helper()

	st := proto.CloneOf(status.Convert(err).Proto())
	st.Details = append([]*anypb.Any{
		{TypeUrl: "type.googleapis.com/acme.v1.Secret", Value: []byte(secret)},
		{TypeUrl: "type.googleapis.com/google.rpc.ErrorInfo", Value: []byte(secret)},
		nil,
	}, st.GetDetails()...)

	return status.FromProto(st).Err()
}

// forms are the two forms of an answer.
var forms = map[string]string{"problem": "*/*", "status": `application/json;error="google.rpc.Status"`}

// written is the whole answer, in the form that goes with what is accepted.
func written(p *problem.Problem, accept string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r, _ := request("/v1/orders")
	r.Header.Set("Accept", accept)
	problem.Write(w, r, p, nil)

	return w
}

func TestDetailsMeantForOthersAreKeptOut(t *testing.T) {
	t.Parallel()

	for code := codes.Canceled; code <= codes.Unauthenticated+1; code++ {
		for form, accept := range forms {
			t.Run(fmt.Sprintf("%s_as_%s", problem.CodeName(code), form), func(t *testing.T) {
				t.Parallel()

				w := written(problem.From(everything(t, code, "m")), accept)

				whole := fmt.Sprint(w.Result().Header, w.Body)
				for _, leak := range []string{"10.1.2.3", "SELECT", "DebugInfo", "Secret", "StringValue", "quotaMetric"} {
					if strings.Contains(whole, leak) {
						t.Errorf("shows %s: %s", leak, whole)
					}
				}
			})
		}
	}
}

func TestFaultsHaveNoDetailsButWhenToRetry(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name    string
		code    codes.Code
		message string
		shown   bool
	}{
		{"internal", codes.Internal, "m", false},
		{"unknown", codes.Unknown, "m", false},
		{"data_loss", codes.DataLoss, "m", false},
		{"code_of_the_future", codes.Code(99), "m", false},
		{"message_over_the_limit_of_grpc", codes.ResourceExhausted, "grpc: received message larger than max (9 vs. 4)", false},
		{"answer_of_a_proxy", codes.PermissionDenied, "unexpected HTTP status code received from server: 403", false},
		{"unavailable", codes.Unavailable, "m", true},
		{"unauthenticated", codes.Unauthenticated, "m", true},
		{"not_found", codes.NotFound, "m", true},
		{"not_found_without_a_message", codes.NotFound, "", true},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			p := problem.From(everything(t, tt.code, tt.message))
			if p.RetryAfter != 1500*time.Millisecond {
				t.Errorf("retry after %s", p.RetryAfter)
			}

			for form, accept := range forms {
				body := written(p, accept).Body.String()
				for _, text := range []string{
					"OUT_OF_STOCK", "orders.example.com", "prd_1", "TOO_MANY", "user:usr_1", "TOS", "usr_2", "example.com/help", "ausverkauft",
				} {
					if strings.Contains(body, text) != tt.shown {
						t.Errorf("%s: %q shown: %t: %s", form, text, !tt.shown, body)
					}
				}
			}
		})
	}
}

func TestFromMapsDetails(t *testing.T) {
	t.Parallel()

	long := "https://example.com/" + strings.Repeat("x", 1100)

	tests := []struct {
		name    string
		details []protoadapt.MessageV1
		want    problem.Problem
	}{
		{"nothing_from_empty_ones", []protoadapt.MessageV1{
			&errdetails.ErrorInfo{}, &errdetails.RetryInfo{}, &errdetails.BadRequest{}, &errdetails.QuotaFailure{},
			&errdetails.PreconditionFailure{}, &errdetails.ResourceInfo{}, &errdetails.Help{}, &errdetails.LocalizedMessage{},
		}, problem.Problem{}},
		{"lists_of_a_kind_are_joined", []protoadapt.MessageV1{
			&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "a_b", Reason: "R"}}},
			&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{Subject: "q1"}}},
			&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{{Type: "p1"}}},
			&errdetails.Help{Links: []*errdetails.Help_Link{{Url: "https://1.example"}}},
			&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "c"}}},
			&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{Subject: "q2"}}},
			&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{{Type: "p2"}}},
			&errdetails.Help{Links: []*errdetails.Help_Link{{Url: "https://2.example"}}},
		}, problem.Problem{
			Errors:        []problem.FieldError{{Field: "aB", Reason: "R"}, {Field: "c"}},
			Quota:         []problem.QuotaViolation{{Subject: "q1"}, {Subject: "q2"}},
			Preconditions: []problem.Precondition{{Type: "p1"}, {Type: "p2"}},
			Help:          []problem.Link{{URL: "https://1.example"}, {URL: "https://2.example"}},
		}},
		{"the_first_of_single_ones_counts", []protoadapt.MessageV1{
			&errdetails.ErrorInfo{Reason: "A"}, &errdetails.ErrorInfo{Reason: "B", Domain: "b", Metadata: map[string]string{"b": "b"}},
			&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)},
			&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Minute)},
			&errdetails.ResourceInfo{ResourceName: "a"}, &errdetails.ResourceInfo{ResourceName: "b", Owner: "b"},
			&errdetails.LocalizedMessage{Locale: "de"}, &errdetails.LocalizedMessage{Locale: "fr"},
		}, problem.Problem{
			Reason: "A", RetryAfter: time.Second, Resource: &problem.Resource{Name: "a"}, Localized: &problem.Localized{Locale: "de"},
		}},
		{"links_only_to_the_web", []protoadapt.MessageV1{&errdetails.Help{Links: []*errdetails.Help_Link{
			{Url: "javascript:alert(1)"},
			{Url: "HTTPS://example.com"},
			{Url: "data:text/html,x"},
			{Url: "//example.com"},
			{Url: "/help"},
			{Url: "https:opaque"},
			{Url: "ftp://example.com"},
			{Url: "http://example.com/"},
			{Url: ""},
			{Url: "https://a b/"},
			{Url: long},
		}}}, problem.Problem{Help: []problem.Link{{URL: "HTTPS://example.com"}, {URL: "http://example.com/"}}}},
		{"names_of_metadata_as_they_are", []protoadapt.MessageV1{&errdetails.ErrorInfo{
			Metadata: map[string]string{"snake_case": "1", "camelCase": "2", "a.b/c": "3"},
		}}, problem.Problem{Metadata: map[string]string{"snake_case": "1", "camelCase": "2", "a.b/c": "3"}}},
		{"texts_are_clipped", []protoadapt.MessageV1{
			&errdetails.LocalizedMessage{Locale: "en", Message: strings.Repeat("x", 1025)},
		}, problem.Problem{Localized: &problem.Localized{Locale: "en", Message: strings.Repeat("x", 1024) + "…"}}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got := problem.From(detailed(t, codes.NotFound, "m", tt.details...))
			want := problem.New(codes.NotFound, "m")
			want.Errors, want.Quota, want.Preconditions, want.Help = tt.want.Errors, tt.want.Quota, tt.want.Preconditions, tt.want.Help
			want.Reason, want.Domain, want.Metadata = tt.want.Reason, tt.want.Domain, tt.want.Metadata
			want.Resource, want.Localized, want.RetryAfter = tt.want.Resource, tt.want.Localized, tt.want.RetryAfter

			if diff := cmp.Diff(want, got, cmp.AllowUnexported(problem.Problem{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// flood is each kind of detail with n items and texts of 10 kB, made of what is given.
func flood(n int, of string) map[string]protoadapt.MessageV1 {
	text := strings.Repeat(of, 10_000/len(of))
	field := &errdetails.BadRequest_FieldViolation{Field: text, Description: text, Reason: text}
	quota := &errdetails.QuotaFailure_Violation{Subject: text, Description: text}
	precondition := &errdetails.PreconditionFailure_Violation{Type: text, Subject: text, Description: text}
	link := &errdetails.Help_Link{Description: text, Url: "https://example.com/" + strings.Repeat("a", 1000)}

	metadata := map[string]string{}
	for i := range min(n, 1000) { // Unlike the items of lists, their names are not shared in memory.
		metadata[strconv.Itoa(i)+text] = text
	}

	return map[string]protoadapt.MessageV1{
		"errors":        &errdetails.BadRequest{FieldViolations: slices.Repeat([]*errdetails.BadRequest_FieldViolation{field}, n)},
		"quota":         &errdetails.QuotaFailure{Violations: slices.Repeat([]*errdetails.QuotaFailure_Violation{quota}, n)},
		"preconditions": &errdetails.PreconditionFailure{Violations: slices.Repeat([]*errdetails.PreconditionFailure_Violation{precondition}, n)},
		"help":          &errdetails.Help{Links: slices.Repeat([]*errdetails.Help_Link{link}, n)},
		"metadata":      &errdetails.ErrorInfo{Reason: text, Domain: text, Metadata: metadata},
		"resource":      &errdetails.ResourceInfo{ResourceType: text, ResourceName: text, Owner: text, Description: text},
		"localized":     &errdetails.LocalizedMessage{Locale: text, Message: text},
	}
}

func TestDocumentsStaySmallWhateverABackendSends(t *testing.T) {
	t.Parallel()

	all := func(n int, of string) []protoadapt.MessageV1 { return slices.Collect(maps.Values(flood(n, of))) }

	tests := []struct {
		name    string
		message string
		details []protoadapt.MessageV1
	}{
		{"ten_thousand_violations", "m", []protoadapt.MessageV1{flood(10_000, "x")["errors"]}},
		{"a_thousand_particulars", "m", []protoadapt.MessageV1{flood(1000, "x")["metadata"]}},
		{"many_of_all_kinds", strings.Repeat("x", 10_000), all(200, "x")},
		{"many_of_all_kinds_that_are_escaped", strings.Repeat("\x01", 10_000), all(200, "\x01")},
		{"many_of_all_kinds_with_quotes", strings.Repeat(`"`, 10_000), all(200, `"`)},
		{"many_of_all_kinds_with_line_separators", strings.Repeat("\u2028", 10_000), all(200, "\u2028")},
		{"details_without_number", "m", slices.Repeat([]protoadapt.MessageV1{flood(1, "x")["errors"]}, 1000)},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			p := problem.From(detailed(t, codes.InvalidArgument, tt.message, tt.details...))
			if len(p.Errors)+len(p.Metadata)+len(p.Help)+len(p.Quota)+len(p.Preconditions) == 0 {
				t.Error("nothing is left")
			}

			for form, accept := range forms {
				w := written(p, accept)
				if size := w.Body.Len(); size >= 64<<10 || w.Code != http.StatusBadRequest {
					t.Errorf("%s: %d with %d bytes", form, w.Code, size)
				}
			}
		})
	}
}

func TestManySmallItemsAreCutToAHundred(t *testing.T) {
	t.Parallel()

	short := slices.Repeat([]*errdetails.BadRequest_FieldViolation{{Field: "items[0].quantity", Description: "must be 1 to 1000"}}, 60)
	metadata := map[string]string{}

	for i := range 1000 {
		metadata[fmt.Sprintf("k%03d", i)] = "v"
	}

	p := problem.From(detailed(t, codes.InvalidArgument, "m", &errdetails.BadRequest{FieldViolations: short},
		&errdetails.BadRequest{FieldViolations: short}, &errdetails.ErrorInfo{Reason: "R", Metadata: metadata}))

	if len(p.Errors) != 100 || len(p.Metadata) != 100 {
		t.Errorf("%d errors, %d particulars", len(p.Errors), len(p.Metadata))
	}

	if _, ok := p.Metadata["k099"]; !ok {
		t.Error("the particulars are not the first by name")
	}
}

func TestTheReasonIsNotCrowdedOut(t *testing.T) {
	t.Parallel()

	p := problem.From(detailed(t, codes.InvalidArgument, "m",
		flood(200, "x")["errors"], flood(200, "x")["help"], &errdetails.ErrorInfo{Reason: "R"}))
	if p.Reason != "R" {
		t.Errorf("got %q", p.Reason)
	}
}
