package problem_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// secret stands for what must not leave the gateway: an address, a query, a file.
const secret = "dial tcp 10.1.2.3:5432: SELECT * FROM users"

func TestFromGivesEachCodeItsStatusAndShowsOnlyMessagesThatAreMeantForCallers(t *testing.T) {
	t.Parallel()

	const message = "said by the service"

	tests := []struct {
		code   codes.Code
		status int
		name   string
		detail string
	}{
		{codes.Canceled, 499, "CANCELLED", "the client closed the request"},
		{codes.Unknown, 500, "UNKNOWN", "something went wrong on our side"},
		{codes.InvalidArgument, 400, "INVALID_ARGUMENT", message},
		{codes.DeadlineExceeded, 504, "DEADLINE_EXCEEDED", "the response did not come in time"},
		{codes.NotFound, 404, "NOT_FOUND", message},
		{codes.AlreadyExists, 409, "ALREADY_EXISTS", message},
		{codes.PermissionDenied, 403, "PERMISSION_DENIED", message},
		{codes.ResourceExhausted, 429, "RESOURCE_EXHAUSTED", message},
		{codes.FailedPrecondition, 400, "FAILED_PRECONDITION", message},
		{codes.Aborted, 409, "ABORTED", message},
		{codes.OutOfRange, 400, "OUT_OF_RANGE", message},
		{codes.Unimplemented, 501, "UNIMPLEMENTED", "the service does not offer this method"},
		{codes.Internal, 500, "INTERNAL", "something went wrong on our side"},
		{codes.Unavailable, 503, "UNAVAILABLE", "a service that is needed for the response is not available at the moment"},
		{codes.DataLoss, 500, "DATA_LOSS", "something went wrong on our side"},
		{codes.Unauthenticated, 401, "UNAUTHENTICATED", "valid credentials are needed"},
		{codes.Code(99), 500, "99", "something went wrong on our side"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			p := problem.From(status.Error(tt.code, message))
			want := &problem.Problem{
				Type: "about:blank", Title: p.Title, Status: tt.status, Detail: tt.detail, Code: tt.name,
			}

			if diff := cmp.Diff(want, p, cmpopts.IgnoreUnexported(problem.Problem{})); diff != "" {
				t.Error(diff)
			}

			if p.Title == "" && tt.code != codes.Code(99) {
				t.Error("has no title")
			}

			if p.GRPCCode() != tt.code {
				t.Errorf("GRPCCode: got %s, want %s", p.GRPCCode(), tt.code)
			}
		})
	}
}

func TestFromNeverShowsWhatMachineryHadToSay(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		err  error
	}{
		{"internal", status.Error(codes.Internal, secret)},
		{"unavailable", status.Error(codes.Unavailable, secret)},
		{"unknown", status.Error(codes.Unknown, secret)},
		{"data_loss", status.Error(codes.DataLoss, secret)},
		{"deadline_exceeded", status.Error(codes.DeadlineExceeded, secret)},
		{"canceled", status.Error(codes.Canceled, secret)},
		{"unimplemented", status.Error(codes.Unimplemented, secret)},
		{"unauthenticated", status.Error(codes.Unauthenticated, secret)},
		{"code_of_the_future", status.Error(codes.Code(99), secret)},
		{"no_status_at_all", errors.New(secret)},
		{"text_around_a_public_status", fmt.Errorf("%s: %w", secret, status.Error(codes.NotFound, "no such order"))},
		{"text_around_the_end_of_a_context", fmt.Errorf("%s: %w", secret, context.DeadlineExceeded)},
		{"status_joined_to_an_error", errors.Join(errors.New(secret), status.Error(codes.NotFound, "no such order"))},
		{"path_that_is_not_valid", &runtime.HTTPStatusError{HTTPStatus: http.StatusBadRequest, Err: errors.New(secret)}},
		{"other_error_of_the_mux", &runtime.HTTPStatusError{HTTPStatus: http.StatusTeapot, Err: errors.New(secret)}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			p := problem.From(tt.err)
			if whole := fmt.Sprintf("%+v", *p); strings.Contains(whole, "10.1.2.3") || strings.Contains(whole, "SELECT") {
				t.Errorf("shows an internal text: %s", whole)
			}
		})
	}
}

func TestFromRecognises(t *testing.T) {
	t.Parallel()

	own := problem.WithStatus(http.StatusMethodNotAllowed, codes.Unimplemented, "the path does not allow PUT")

	tests := []struct {
		name   string
		err    error
		status int
		code   string
		detail string
	}{
		{"a_problem", own, 405, "UNIMPLEMENTED", own.Detail},
		{"a_wrapped_problem", fmt.Errorf("enforce: %w", own), 405, "UNIMPLEMENTED", own.Detail},
		{
			"a_wrapped_status_by_its_inner_message", fmt.Errorf("call order: %w", status.Error(codes.NotFound, "no such order")),
			404, "NOT_FOUND", "no such order",
		},
		{"a_public_status_without_a_message", status.Error(codes.NotFound, ""), 404, "NOT_FOUND", "there is no such resource"},
		{
			"a_precondition_without_a_message", status.Error(codes.Aborted, ""),
			409, "ABORTED", "the request cannot be carried out as it is",
		},
		{"a_refusal_without_a_message", status.Error(codes.PermissionDenied, ""), 403, "PERMISSION_DENIED", "the caller may not do this"},
		{"a_limit_without_a_message", status.Error(codes.ResourceExhausted, ""), 429, "RESOURCE_EXHAUSTED", "a limit was reached"},
		{
			"a_body_over_the_limit", fmt.Errorf("read body: %w", &http.MaxBytesError{Limit: 1024}),
			413, "OUT_OF_RANGE", "the request body is larger than 1024 bytes",
		},
		{
			"a_path_that_the_mux_could_not_decode",
			&runtime.HTTPStatusError{HTTPStatus: http.StatusBadRequest, Err: errors.New("malformed")},
			400, "INVALID_ARGUMENT", "the path is not valid",
		},
		{"a_deadline", context.DeadlineExceeded, 504, "DEADLINE_EXCEEDED", "the response did not come in time"},
		{"a_client_that_left", fmt.Errorf("copy: %w", context.Canceled), 499, "CANCELLED", "the client closed the request"},
		{"nothing_in_an_arbitrary_error", io.ErrUnexpectedEOF, 500, "INTERNAL", "something went wrong on our side"},
		{"nothing_in_an_error_without_its_status", noStatus{}, 500, "INTERNAL", "something went wrong on our side"},
		{"no_success_in_an_error", okStatus{}, 500, "INTERNAL", "something went wrong on our side"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			p := problem.From(tt.err)
			if p.Status != tt.status || p.Code != tt.code || p.Detail != tt.detail {
				t.Errorf("got %d %s %q, want %d %s %q", p.Status, p.Code, p.Detail, tt.status, tt.code, tt.detail)
			}
		})
	}
}

// noStatus is an error that could carry a status and does not.
type noStatus struct{}

func (noStatus) Error() string              { return secret }
func (noStatus) GRPCStatus() *status.Status { return nil }

// okStatus is an error whose status denies it. It once became an error answer with HTTP status 200.
type okStatus struct{}

func (okStatus) Error() string              { return secret }
func (okStatus) GRPCStatus() *status.Status { return status.New(codes.OK, "") }

func TestFromSpellsFieldsAsJSONDoes(t *testing.T) {
	t.Parallel()

	tests := []struct{ name, field, want string }{
		{"one_word", "note", "note"},
		{"two_words", "order_count", "orderCount"},
		{"nested_in_a_list", "line_items[0].unit_price.currency_code", "lineItems[0].unitPrice.currencyCode"},
		{"map_key_stays", `labels["gift_wrap"].text_color`, `labels["gift_wrap"].textColor`},
		{"digit_after_underscore", "address_2", "address2"},
		{"underscore_at_the_end", "odd_", "odd"},
		{"two_underscores", "very__odd", "veryOdd"},
		{"json_spelling_already", "unitPrice", "unitPrice"},
		{"empty", "", ""},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			p := problem.From(detailed(t, codes.InvalidArgument, "invalid", &errdetails.BadRequest{
				FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: tt.field, Description: "is odd"}},
			}))

			want := []problem.FieldError{{Field: tt.want, Description: "is odd"}}
			if diff := cmp.Diff(want, p.Errors); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFromTakesTheDelayOfRetryInfo(t *testing.T) {
	t.Parallel()

	p := problem.From(detailed(t, codes.Unavailable, secret, &errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)}))
	if p.RetryAfter != 1500*time.Millisecond {
		t.Errorf("got %s", p.RetryAfter)
	}
}

func TestFromIsNotFloodedByABackend(t *testing.T) {
	t.Parallel()

	const (
		maxText = 1024 + len("…")
		maxList = 100
	)

	field, description := strings.Repeat("f", 1<<16), strings.Repeat("d", 1<<16)
	violations := make([]*errdetails.BadRequest_FieldViolation, 200)

	for i := range violations {
		violations[i] = &errdetails.BadRequest_FieldViolation{Field: field, Description: description}
	}

	tests := []struct {
		name string
		err  error
	}{
		{"megabyte_of_text", status.Error(codes.InvalidArgument, strings.Repeat("x", 1<<20))},
		{"cut_within_a_character", status.Error(codes.InvalidArgument, "a"+strings.Repeat("€", 1<<16))},
		{"invalid_utf8", status.Error(codes.InvalidArgument, "caf\xe9 \xff\xfe "+strings.Repeat("\xe2\x82", 1<<16))},
		{"many_long_fields", detailed(t, codes.InvalidArgument, "m", &errdetails.BadRequest{FieldViolations: violations})},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			p := problem.From(tt.err)
			texts := []string{p.Detail}

			for _, e := range p.Errors {
				texts = append(texts, e.Field, e.Description)
			}

			if len(p.Errors) > maxList {
				t.Errorf("%d field errors", len(p.Errors))
			}

			for _, text := range texts {
				if text == "" || len(text) > maxText || !utf8.ValidString(text) {
					t.Errorf("%d bytes, valid UTF-8: %t: %.40q", len(text), utf8.ValidString(text), text)
				}
			}
		})
	}
}

func TestClippedTextSaysSo(t *testing.T) {
	t.Parallel()

	tests := []struct{ name, message, want string }{
		{"as_long_as_may_be", strings.Repeat("x", 1024), strings.Repeat("x", 1024)},
		{"one_byte_longer", strings.Repeat("x", 1025), strings.Repeat("x", 1024) + "…"},
		{"character_on_the_edge", strings.Repeat("x", 1023) + "€€", strings.Repeat("x", 1023) + "…"},
		{"invalid_bytes", "caf\xe9", "caf\uFFFD"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := problem.From(status.Error(codes.NotFound, tt.message)).Detail; got != tt.want {
				t.Errorf("got %d bytes ending in %q", len(got), got[max(0, len(got)-8):])
			}
		})
	}
}

func TestStatusFindsTheInnermostMessage(t *testing.T) {
	t.Parallel()

	st, ok := problem.Status(fmt.Errorf("outer: %w", status.Error(codes.Aborted, "inner")))
	if !ok || st.Code() != codes.Aborted || st.Message() != "inner" {
		t.Errorf("got %v, %t", st, ok)
	}

	for _, err := range []error{nil, errors.New("plain"), noStatus{}, okStatus{}} {
		if st, ok := problem.Status(err); ok {
			t.Errorf("found %v in %#v", st, err)
		}
	}
}

func detailed(tb testing.TB, code codes.Code, message string, details ...protoadapt.MessageV1) error {
	tb.Helper()

	st, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		tb.Fatal(err)
	}

	return st.Err()
}

// Once, a stream whose backend died behind a proxy ended for good, and a proxy's 502 was a fault of the gateway's.
func TestFromOfCallsThatBrokeOffInAProxy(t *testing.T) {
	t.Parallel()

	for message, row := range map[string]struct{ code, want codes.Code }{
		"stream terminated by RST_STREAM with error code: INTERNAL_ERROR": {codes.Internal, codes.Unavailable},
		"stream terminated by RST_STREAM with error code: NO_ERROR":       {codes.Internal, codes.Unavailable},
		"stream terminated by RST_STREAM with error code: PROTOCOL_ERROR": {codes.Internal, codes.Internal},
		"server closed the stream without sending trailers":               {codes.Internal, codes.Unavailable},
		"unexpected HTTP status code received from server: 502":           {codes.Unavailable, codes.Unavailable},
		"unexpected HTTP status code received from server: 403":           {codes.PermissionDenied, codes.Internal},
	} {
		if got := problem.From(status.Error(row.code, message)); got.GRPCCode() != row.want || strings.Contains(got.Detail, message) {
			t.Errorf("%s: %s", message, got)
		}
	}
}
