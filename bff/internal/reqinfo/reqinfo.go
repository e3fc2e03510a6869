// Package reqinfo holds the one record of a request. The outermost layer makes it, inner layers write on it what they find out
// (who calls, which route, which backend, what went wrong), and it is logged once, at the end.
//
// It is not a place for configuration or for anything that outlives the request.
package reqinfo

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
)

// Record is what is known about a request. Its exported fields are written on the goroutine that serves the request, before any
// other one is started; the methods are safe for concurrent use, because the legs of a composite call them.
type Record struct {
	// ID names the request: a random one, or the client's own choice; the client sees it as X-Request-Id, backends as x-request-id.
	ID string
	// Start is when the request arrived.
	Start time.Time
	// Client is the address of the client, by the configured trust model. Invalid if it is not known.
	Client netip.Addr
	// Principal is who calls. The zero value is an anonymous caller.
	Principal Principal
	// APIKey is the id of the API key by which the caller was known; empty if it was none.
	APIKey string
	// Authorization is the value of the Authorization header that was verified; empty if there was none. It leaves the gateway only
	// towards upstreams whose configuration asks for it.
	Authorization string
	// Forward are the client's headers that the allow-list lets through, by the lower-case names of gRPC metadata.
	Forward map[string][]string
	// Template is the path template of the matched route, "/v1/users/{user_id}"; empty if none matched.
	Template string
	// RPC is the full method of the matched route, "/user.v1.UserService/GetUser"; empty if none matched.
	RPC string
	// PathParams are the values of the template's variables, unescaped.
	PathParams map[string]string
	// Priority says whose calls are refused first when a backend has too much to do: the lower ones. Zero is what most have.
	Priority int
	// BodyLimit is the largest body in bytes that may be read. The matched route may change it before the first read.
	BodyLimit int64
	// Head reports that the client wants the header of the answer alone.
	Head bool
	// EventStream reports whether the matched route answers with Server-Sent Events, to a GET as an EventSource sends it.
	EventStream bool
	// Status is the HTTP status of the answer for log and metrics where the one on the wire does not tell it. Zero: it does.
	Status int
	// WriteBy is until when the connection takes the answer. Zero: there is no end, or it is not known.
	WriteBy time.Time
	// Reserved reports that the deadline of the request's context leaves time to answer (see Reserve).
	Reserved bool
	// ClientDeadline reports that the client asked for an earlier deadline than the route's.
	ClientDeadline bool
	// BodyExceeded reports that a read was refused because of BodyLimit.
	BodyExceeded bool
	// Values has what middleware of an embedding program has put into the context. Nil: there is no middleware.
	Values interface{ Value(key any) any }

	// wireBytes and spent are counted while the body is read, which may happen on another goroutine.
	wireBytes, spent atomic.Int64

	mu        sync.Mutex
	upstreams []string
	calls     []Call
	// Most requests make one call.
	upstreamRoom [1]string
	callRoom     [1]Call
	missing      []MissingPart
	dropped      []string
	code         codes.Code
	cause        error
}

// Principal is an authenticated caller.
type Principal struct {
	// Subject identifies the caller ("sub", RFC 7519, section 4.1.2). Empty: anonymous.
	Subject string
	// Issuer is who vouches for it.
	Issuer string
	// Scopes are what the caller was granted (RFC 8693, section 4.2).
	Scopes []string
	// Roles are what the caller is.
	Roles []string
	// Tenant is the customer that the caller belongs to. Empty: none.
	Tenant string
}

// Anonymous reports whether the caller showed no credentials.
func (p Principal) Anonymous() bool { return p.Subject == "" }

// HasScope reports whether the caller was granted the scope.
func (p Principal) HasScope(scope string) bool { return slices.Contains(p.Scopes, scope) }

// HasRole reports whether the caller has the role.
func (p Principal) HasRole(role string) bool { return slices.Contains(p.Roles, role) }

// maxName is the length in bytes that OpenID Connect Core, section 2, allows for a subject.
const maxName = 255

// PartError is what is wrong with a part of a principal.
type PartError struct {
	// Part is subject, tenant, scopes or roles.
	Part string
	text string
}

// Error implements error.
func (e *PartError) Error() string { return e.Part + ": " + e.text }

// Check returns why the principal cannot be passed on: subject, scopes, roles and tenant travel as gRPC metadata, scopes and roles
// with spaces between them. The error joins a PartError for each part that is wrong.
func (p Principal) Check() error {
	var faults []error

	if !Plain(p.Subject) || len(p.Subject) > maxName {
		faults = append(faults, &PartError{"subject", "must be 1 to 255 characters of printable ASCII, without spaces at its ends"})
	}

	if p.Tenant != "" && !Plain(p.Tenant) {
		faults = append(faults, &PartError{"tenant", "must be printable ASCII, without spaces at its ends"})
	}

	for _, list := range []struct {
		part  string
		names []string
	}{{"scopes", p.Scopes}, {"roles", p.Roles}} {
		if slices.ContainsFunc(list.names, func(name string) bool { return !Plain(name) || strings.Contains(name, " ") }) {
			faults = append(faults, &PartError{list.part, "must be printable ASCII without spaces, and not empty"})
		}
	}

	return errors.Join(faults...)
}

// Plain reports whether a text is printable ASCII, not empty, and without spaces at its ends, which gRPC metadata does not keep.
func Plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}

	return text != "" && text == strings.TrimSpace(text)
}

// Identity is what tells a caller with credentials from all others: issuer, subject, tenant and the id of its API key. What is kept
// for one caller and must not reach another is kept under all of it. It is empty for an anonymous caller.
func (r *Record) Identity() [4]string {
	return [...]string{r.Principal.Issuer, r.Principal.Subject, r.Principal.Tenant, r.APIKey}
}

// IsTraceContext reports whether forwarded metadata says to which trace a request belongs, and nothing about what it wants.
func IsTraceContext(name string) bool { return name == "traceparent" || name == "tracestate" }

type contextKey struct{}

// NewContext returns a context that carries the record.
func NewContext(ctx context.Context, rec *Record) context.Context {
	return context.WithValue(ctx, contextKey{}, rec)
}

// From returns the record of the request, or an empty one (never nil) outside of a request.
func From(ctx context.Context) *Record {
	if rec, ok := Lookup(ctx); ok {
		return rec
	}

	return &Record{}
}

// Lookup returns the record of the request; false outside of a request.
func Lookup(ctx context.Context) (*Record, bool) {
	rec, ok := ctx.Value(contextKey{}).(*Record)

	return rec, ok
}

// The gateway keeps a little of the time that a request has, so that it can still answer: a tenth of what is left, at most what it
// takes to write a large answer.
const (
	maxReserve   = 20 * time.Millisecond
	reserveShare = 10
)

// Reserve is how much of the time that is left is for answering.
func Reserve(left time.Duration) time.Duration { return min(max(left/reserveShare, 0), maxReserve) }

// ClientDeadlineShorter reports whether the client leaves a backend that is called now less time than the route means it to have:
// by asking for an earlier deadline, or by sending its body so slowly that more time has passed than is left until the deadline of
// the context. Running into such a deadline is not the backend's fault; otherwise a client could shut a backend off for everybody.
func (r *Record) ClientDeadlineShorter(ctx context.Context, now time.Time) bool {
	if r.ClientDeadline {
		return true
	}

	deadline, ok := ctx.Deadline()

	return ok && !r.Start.IsZero() && now.Sub(r.Start) > deadline.Sub(now)
}

// Fork returns a record of the same request, on which nothing has been found out yet by those who answer it: for work that other
// requests wait for as well, or that goes on without them.
func (r *Record) Fork() *Record {
	fork := &Record{
		ID: r.ID, Start: r.Start, Client: r.Client, Principal: r.Principal, APIKey: r.APIKey, Authorization: r.Authorization,
		Forward: r.Forward, Template: r.Template, RPC: r.RPC, PathParams: r.PathParams, Priority: r.Priority,
		BodyLimit: r.BodyLimit, Values: r.Values,
	}
	fork.wireBytes.Store(r.WireBytes())
	fork.spent.Store(r.spent.Load())

	return fork
}

// Join notes on r what was found out on the record of work that r's request waited for.
func (r *Record) Join(work *Record) {
	for _, name := range work.Upstreams() {
		r.AddUpstream(name)
	}

	for _, call := range work.Calls() {
		r.AddCall(call)
	}

	for _, part := range work.Missing() {
		r.Miss(part.Name, part.Cause)
	}

	for _, name := range work.DroppedHeaders() {
		r.DropHeader(name)
	}

	if code, cause := work.Outcome(); code != codes.OK || cause != nil {
		r.Fail(code, cause)
	}
}

// AddUpstream notes that a backend was called. The same one is noted once.
func (r *Record) AddUpstream(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if r.upstreams == nil {
		r.upstreams = r.upstreamRoom[:0]
	}

	if !slices.Contains(r.upstreams, name) {
		r.upstreams = append(r.upstreams, name)
	}
}

// Upstreams lists the backends that were called, in the order of their first call.
func (r *Record) Upstreams() []string {
	r.mu.Lock()
	defer r.mu.Unlock()

	return slices.Clone(r.upstreams)
}

// UpstreamNames are the upstreams with commas between them.
func (r *Record) UpstreamNames() string {
	r.mu.Lock()
	defer r.mu.Unlock()

	return strings.Join(r.upstreams, ",")
}

// Call is a call to a backend that has ended.
type Call struct {
	Upstream string
	// RPC is the full method, "/user.v1.UserService/GetUser".
	RPC  string
	Took time.Duration
}

// maxCalls bounds what is kept: the legs of a large composite.
const maxCalls = 32

// AddCall notes what a call took. Of a great many, the first are kept.
func (r *Record) AddCall(call Call) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if r.calls == nil {
		r.calls = r.callRoom[:0]
	}

	if len(r.calls) < maxCalls {
		r.calls = append(r.calls, call)
	}
}

// Calls lists the calls that have ended, in that order.
func (r *Record) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()

	return slices.Clone(r.calls)
}

// MissingPart is a part that is missing from a composite answer, and why, for the log.
type MissingPart struct {
	Name  string
	Cause error
}

// maxMissing bounds what is kept of missing parts: each is an attribute of a log line, and a stream can miss one with every
// message.
const maxMissing = 32

// Miss notes that a part of a composite answer is missing. The same one is noted once, with its first cause; of a great many, the
// first are kept.
func (r *Record) Miss(part string, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	known := slices.ContainsFunc(r.missing, func(m MissingPart) bool { return m.Name == part })
	if !known && len(r.missing) < maxMissing {
		r.missing = append(r.missing, MissingPart{Name: part, Cause: cause})
	}
}

// Partial reports whether a part of a composite answer is missing.
func (r *Record) Partial() bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	return len(r.missing) > 0
}

// Missing lists the parts that are missing from a composite answer.
func (r *Record) Missing() []MissingPart {
	r.mu.Lock()
	defer r.mu.Unlock()

	return slices.Clone(r.missing)
}

// DropHeader notes that clients do not get what a backend said under that name, because it cannot stand in a header. The same one
// is noted once.
func (r *Record) DropHeader(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if !slices.Contains(r.dropped, name) {
		r.dropped = append(r.dropped, name)
	}
}

// DroppedHeaders lists what cannot stand in a header.
func (r *Record) DroppedHeaders() []string {
	r.mu.Lock()
	defer r.mu.Unlock()

	return slices.Clone(r.dropped)
}

// Fail notes the code of the answer and what the log should say about its cause. The first cause stays.
func (r *Record) Fail(code codes.Code, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.code = code
	if r.cause == nil {
		r.cause = cause
	}
}

// Outcome is the code of the answer and, if it is an error, its cause for the log.
func (r *Record) Outcome() (codes.Code, error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.code, r.cause
}
