// Package reqinfo holds the one record of a request. The outermost layer makes it, inner layers add the caller, the route, backends
// and errors, and it is logged once, at the end. It is not for configuration or anything that outlives the request.
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
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// Record describes a request. Its exported fields are written on the goroutine that serves the request, before any other one is
// started; the methods are safe for concurrent use, because the legs of a composite call them.
type Record struct {
	Trace

	// ID is random, or chosen by the client, which gets it as X-Request-Id; backends get it as x-request-id.
	ID string
	// Start is when the request arrived.
	Start time.Time
	// Client is the address of the client, by the configured trust model. Invalid if it is not known.
	Client netip.Addr
	// Principal is who calls. The zero value is an anonymous caller.
	Principal Principal
	// APIKey is the id of the caller's API key. Empty: none.
	APIKey string
	// Authorization is the Authorization header that was verified. Empty: none. Only upstreams whose configuration asks for it get
	// it.
	Authorization string
	// Login is where a browser without a credential can log in. Empty: nowhere, or the request has another credential.
	Login string
	// Session reports that the caller has the session of a browser, whose cookie is sent without the page's doing.
	Session bool
	// SessionEnded reports that the request has the cookie of a session that has ended.
	SessionEnded bool
	// Forward are the client's headers on the allow-list, by the lower-case names of gRPC metadata.
	Forward map[string][]string
	// CacheControl are the client's headers Cache-Control and Pragma, by these names, which are also about what is fetched for the
	// response. Nil: there are none.
	CacheControl map[string][]string
	// Template is the path template of the matched route, "/v1/users/{user_id}"; empty if none matched.
	Template string
	// RPC is the full method of the matched route, "/user.v1.UserService/GetUser"; empty if none matched.
	RPC string
	// Selector is the same method as selectors of the configuration write it (see Selector).
	Selector string
	// PathParams are the values of the template's variables, unescaped.
	PathParams pathtemplate.Values
	// Priority is that of calls to an overloaded backend, which refuses lower ones first. Most have zero.
	Priority int
	// BodyLimit is the size of the largest body that may be read, in bytes. The route may change it before the first read.
	BodyLimit int64
	// Head reports that it is a HEAD request, which the route may see as GET.
	Head bool
	// EventStream reports whether the response is Server-Sent Events, and the request may be that of an EventSource.
	EventStream bool
	// Status is the HTTP status for log and metrics. Zero: the one on the wire.
	Status int
	// WriteBy is until when the client may read the response: the write deadline of the connection, which may be later if the
	// response is small (response.WriteBy). Zero: none, or unknown.
	WriteBy time.Time
	// Reserved reports that the deadline of the request's context leaves time for the response (see Reserve).
	Reserved bool
	// ClientDeadline reports that the client asked for an earlier deadline than the route's.
	ClientDeadline bool
	// BodyExceeded reports that a read was refused because of BodyLimit.
	BodyExceeded bool
	// Selection is what the client asks for of the response. Nil: all of it.
	Selection *Selection
	// Values has the context values of an embedding program's middleware. Nil: there is none.
	Values interface{ Value(key any) any }

	// stale reports that a part of the response is older than its policy says.
	stale atomic.Bool
	// The body may be read on another goroutine.
	wireBytes, spent atomic.Int64

	mu        sync.Mutex
	upstreams []string
	calls     []Call
	// Most requests make one call.
	upstreamRoom [1]string
	callRoom     [1]Call
	made         Made
	missing      []MissingPart
	dropped      []string
	code         codes.Code
	cause        error
	refusal      Refusal
	metadata     metadata.MD
}

// Selection is a part of a response message. It is immutable.
type Selection struct {
	// Message is the full name of the message.
	Message string
	// Fields are the names of its fields that the client asks for, or that the gateway reads. No other is needed.
	Fields []string
}

// Principal is an authenticated caller.
type Principal struct {
	// Subject identifies the caller ("sub", RFC 7519, section 4.1.2). Empty: anonymous.
	Subject string
	// Issuer is who has authenticated the caller ("iss").
	Issuer string
	// Scopes are what the caller was granted (RFC 8693, section 4.2).
	Scopes []string
	// Roles are what the caller is.
	Roles []string
	// Tenant is the customer of the caller. Empty: none.
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

// Check returns why the principal cannot be passed on as gRPC metadata, in which scopes and roles are separated by spaces. The
// error joins a PartError for each part that is wrong.
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

// Plain reports whether a text is printable ASCII, not empty, and without spaces at its ends, which gRPC metadata would lose.
func Plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}

	return text != "" && text == strings.TrimSpace(text)
}

// Identity identifies a caller, whatever credential it has used: issuer, subject and tenant. It is part of the key of all that is
// stored for one caller alone. It is empty for an anonymous caller.
func (p Principal) Identity() [3]string { return [...]string{p.Issuer, p.Subject, p.Tenant} }

// IsTraceContext reports whether forwarded metadata is about the trace of a request, so that the response does not depend on it.
func IsTraceContext(name string) bool { return name == "traceparent" || name == "tracestate" }

// MaxReserve is how much of the time of a request is reserved for the response at most: the time to write a large one.
const MaxReserve = 20 * time.Millisecond

// reserveShare is the part of what is left that is reserved: a tenth.
const reserveShare = 10

// Reserve returns how much of the time that is left is for the response.
func Reserve(left time.Duration) time.Duration { return min(max(left/reserveShare, 0), MaxReserve) }

// ClientDeadlineShorter reports whether the client leaves a backend that is called now less time than the route does: by asking for
// an earlier deadline, or by sending its body so slowly that more time has passed than is left. Then exceeding the deadline must
// not count against the backend, or a client could open its breaker.
func (r *Record) ClientDeadlineShorter(ctx context.Context, now time.Time) bool {
	if r.ClientDeadline {
		return true
	}

	deadline, ok := ctx.Deadline()

	return ok && !r.Start.IsZero() && now.Sub(r.Start) > deadline.Sub(now)
}

// Fork returns a record of the same request without any results, for work that is shared with other requests or outlives the
// request.
func (r *Record) Fork() *Record {
	fork := &Record{
		Trace: r.Trace, ID: r.ID, Start: r.Start, Client: r.Client, Principal: r.Principal, APIKey: r.APIKey,
		Authorization: r.Authorization,
		Forward:       r.Forward, CacheControl: r.CacheControl, Template: r.Template, RPC: r.RPC,
		PathParams: r.PathParams,
		Priority:   r.Priority, BodyLimit: r.BodyLimit, Selection: r.Selection, Values: r.Values,
	}
	fork.wireBytes.Store(r.WireBytes())
	fork.spent.Store(r.spent.Load())

	return fork
}

// Join adds the results on the record of work that r's request has waited for.
func (r *Record) Join(work *Record) {
	for _, name := range added(&work.mu, &work.upstreams) {
		r.AddUpstream(name)
	}

	for _, call := range added(&work.mu, &work.calls) {
		r.AddCall(call)
	}

	for _, part := range added(&work.mu, &work.missing) {
		r.Miss(part.Name, part.Cause)
	}

	for _, name := range added(&work.mu, &work.dropped) {
		r.DropHeader(name)
	}

	if code, cause := work.Outcome(); code != codes.OK || cause != nil {
		r.Fail(code, cause)
	}

	if refusal := work.Refusal(); refusal.Reason != "" {
		r.Refuse(refusal)
	}
}

// AddUpstream adds a backend that was called, once.
func (r *Record) AddUpstream(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()

	switch len(r.upstreams) {
	case 0:
		r.upstreams = r.upstreamRoom[:0]
	case len(r.upstreamRoom):
		r.upstreams = slices.Grow(r.upstreams, fewLegs)
	}

	addOnce(&r.upstreams, name)
}

func addOnce(names *[]string, name string) {
	if !slices.Contains(*names, name) {
		*names = append(*names, name)
	}
}

// added returns what has been added to a list that mu guards. Nothing in it changes.
func added[T any](mu *sync.Mutex, list *[]T) []T {
	mu.Lock()
	defer mu.Unlock()

	return *list
}

// snapshot copies a list that mu guards.
func snapshot[T any](mu *sync.Mutex, list *[]T) []T { return slices.Clone(added(mu, list)) }

// Upstreams lists the backends that were called, in the order of their first call.
func (r *Record) Upstreams() []string { return snapshot(&r.mu, &r.upstreams) }

// UpstreamNames returns the upstreams, separated by commas.
func (r *Record) UpstreamNames() string {
	r.mu.Lock()
	defer r.mu.Unlock()

	return strings.Join(r.upstreams, ",")
}

// MissingPart is a part that is missing from a composite response, and why, for the log.
type MissingPart struct {
	Name  string
	Cause error
}

// Miss adds a missing part of a composite response, once, with its first cause, unless there are maxMissing.
func (r *Record) Miss(part string, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	known := slices.ContainsFunc(r.missing, func(m MissingPart) bool { return m.Name == part })
	if !known && len(r.missing) < maxMissing {
		r.missing = append(r.missing, MissingPart{Name: part, Cause: cause})
	}
}

// Partial reports whether a part of a composite response is missing.
func (r *Record) Partial() bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	return len(r.missing) > 0
}

// MarkStale says that a part of the response is older than its policy says: it was served in place of an error, or of a fresh one.
func (r *Record) MarkStale() { r.stale.Store(true) }

// Stale reports whether MarkStale was called.
func (r *Record) Stale() bool { return r.stale.Load() }

// Missing lists the missing parts of a composite response.
func (r *Record) Missing() []MissingPart { return snapshot(&r.mu, &r.missing) }

// DropHeader adds the name of a backend's metadata that clients do not get, because its value cannot be in a header, once.
func (r *Record) DropHeader(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()

	addOnce(&r.dropped, name)
}

// DroppedHeaders lists the names that DropHeader has added.
func (r *Record) DroppedHeaders() []string { return snapshot(&r.mu, &r.dropped) }

// Fail sets the code of the response and its cause for the log. The first cause stays.
func (r *Record) Fail(code codes.Code, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.code = code
	if r.cause == nil {
		r.cause = cause
	}
}

// Outcome returns the code of the response and, if it is an error, its cause for the log.
func (r *Record) Outcome() (codes.Code, error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.code, r.cause
}
