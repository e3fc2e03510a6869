// Package problem is the one form of an error response: an RFC 9457 problem document, made from any error by From and written by
// Write. It decides what of an error a client may read; everything else is for the log.
package problem

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// ContentType is the media type of a problem document (RFC 9457, section 3).
const ContentType = "application/problem+json"

// blankType is the type of problems that have none (RFC 9457, section 4.2.1).
const blankType = "about:blank"

// StatusClientClosedRequest is what is logged for a client that hung up. It is nginx's number; HTTP has none.
const StatusClientClosedRequest = 499

// Problem is an error that a client may read. It is an error itself, so that any layer can return one.
type Problem struct { //nolint:errname // It is what RFC 9457 calls it.
	// Type is "about:blank" (RFC 9457, section 4.2.1), since there is Code for machines, unless an Edit changes it.
	Type string `json:"type"`
	// Title is the phrase of the HTTP status.
	Title string `json:"title"`
	// Status is the HTTP status.
	Status int `json:"status"`
	// Detail says what was wrong with this request.
	Detail string `json:"detail,omitempty"`
	// Instance is the path of the request.
	Instance string `json:"instance,omitempty"`
	// Code is the name of the google.rpc.Code, "NOT_FOUND".
	Code string `json:"code"`
	// RequestID is what to quote when asking for help.
	RequestID string `json:"request_id,omitempty"`
	// TraceID is the trace of the request (W3C Trace Context), if it has one.
	TraceID string `json:"trace_id,omitempty"`
	// Login is where a browser can log in, with a 401.
	Login string `json:"login,omitempty"`
	// Errors are the fields that were wrong.
	Errors []FieldError `json:"errors,omitempty"`

	// Reason says in one UPPER_SNAKE_CASE word why, more precisely than Code; it is unique within Domain, "orders.example.com".
	Reason string `json:"reason,omitempty"`
	Domain string `json:"domain,omitempty"`
	// Metadata are the particulars of the Reason. Its names are the backend's.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Quota, Preconditions, Resource, Help and Localized are the details of a backend with such names.
	Quota         []QuotaViolation `json:"quota,omitempty"`
	Preconditions []Precondition   `json:"preconditions,omitempty"`
	Resource      *Resource        `json:"resource,omitempty"`
	Help          []Link           `json:"help,omitempty"`
	Localized     *Localized       `json:"localized,omitempty"`

	// Extensions are members that an Edit has added, by name.
	Extensions map[string]json.RawMessage `json:"-"`

	// RetryAfter is how long the client should wait; written as Retry-After, rounded up to seconds. Zero: unknown.
	RetryAfter time.Duration `json:"-"`

	grpcCode codes.Code
	// refusal is for the log.
	refusal reqinfo.Refusal
}

// New makes a problem with the HTTP status that belongs to the code. The detail goes to the client.
func New(c codes.Code, detail string) *Problem {
	return WithStatus(runtime.HTTPStatusFromCode(c), c, detail)
}

// Newf is New with a formatted detail.
func Newf(c codes.Code, format string, args ...any) *Problem {
	return New(c, fmt.Sprintf(format, args...))
}

// WithStatus makes a problem with an HTTP status that no code maps to, such as 405 or 413.
func WithStatus(status int, c codes.Code, detail string) *Problem {
	return &Problem{
		Type: blankType, Title: title(status), Status: status, Detail: detail, Code: CodeName(c), grpcCode: c,
	}
}

// Because sets why the gateway itself refuses the request, for the log and the metrics, and returns the problem.
func (p *Problem) Because(reason reqinfo.Reason) *Problem {
	p.refusal.Reason = reason

	return p
}

// BecauseOfLimit is Because of a rate limit, by its name.
func (p *Problem) BecauseOfLimit(name string) *Problem {
	p.refusal = reqinfo.Refusal{Reason: reqinfo.ReasonRateLimit, Limit: name}

	return p
}

// Record puts the outcome of a request on its record: the code of the problem, why the gateway refused it, if it did, and the
// cause.
func (p *Problem) Record(rec *reqinfo.Record, cause error) {
	rec.Fail(p.grpcCode, cause)

	if p.refusal.Reason != "" {
		rec.Refuse(p.refusal)
	}
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GRPCCode is the code that Code names.
func (p *Problem) GRPCCode() codes.Code { return p.grpcCode }

// CodeName is the name of a code as google.rpc.Code spells it, "NOT_FOUND".
func CodeName(c codes.Code) string {
	return code.Code(int32(c)).String()
}

func title(status int) string {
	if status == StatusClientClosedRequest {
		return "Client Closed Request"
	}

	return http.StatusText(status)
}
