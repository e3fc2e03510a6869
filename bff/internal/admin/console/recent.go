package console

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Recent remembers the last failures, whether a page is open or not. It is safe for concurrent use. The zero value is empty.
type Recent struct {
	mu sync.Mutex
	// ring has the oldest one at next, once it is full.
	ring []failed
	next int
}

// failed is a failure without its text, which is made only for those who look.
type failed struct {
	Failure

	code codes.Code
}

// Observe remembers a request if the gateway has refused it or if its status is 5xx. For one that succeeds it costs a comparison.
// Of what the client sent there is only its request id.
func (f *Recent) Observe(method string, rec *reqinfo.Record, status int, took time.Duration) {
	if status < http.StatusBadRequest {
		return
	}

	refusal := rec.Refusal()
	if refusal.Reason == "" && status < http.StatusInternalServerError {
		return
	}

	code, _ := rec.Outcome()
	failure := failed{code: code, Failure: Failure{
		Time: time.Now(), RequestID: rec.ID, Method: knownMethod(method), Path: rec.Template, RPC: rec.Selector, Status: status,
		Code: problem.CodeName(code), Reason: string(refusal.Reason), Limit: refusal.Limit, Upstream: rec.UpstreamNames(),
		Address: rec.Made().Address, TookMS: milliseconds(took.Seconds()),
	}}

	f.mu.Lock()
	defer f.mu.Unlock()

	if len(f.ring) < MaxFailures {
		f.ring = append(f.ring, failure)
		return
	}

	f.ring[f.next] = failure
	f.next = (f.next + 1) % MaxFailures
}

// list returns the failures, the newest first.
func (f *Recent) list() []Failure {
	all, known := f.all(), reasonWords()

	list := make([]Failure, 0, len(all))
	for _, one := range slices.Backward(all) {
		one.Text = words(known, reqinfo.Reason(one.Reason), one.code)
		list = append(list, one.Failure)
	}

	return list
}

// all returns the failures, the oldest first.
func (f *Recent) all() []failed {
	f.mu.Lock()
	defer f.mu.Unlock()

	return slices.Concat(f.ring[f.next:], f.ring[:f.next])
}

// knownMethod keeps out what a client has made up.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}

// words say what a refusal or a code means. There is nothing of the request in them: the texts that clients get may have parts of
// it, and those of backends more.
func words(known map[reqinfo.Reason]string, reason reqinfo.Reason, code codes.Code) string {
	if reason != "" {
		return cmp.Or(known[reason], "the gateway refused it")
	}

	switch code {
	case codes.Unavailable:
		return "a backend could not be reached, or said that it is not available"
	case codes.DeadlineExceeded:
		return "a backend did not reply in time"
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return "a backend, or the gateway, failed; the log has the cause"
	case codes.Unimplemented:
		return "the backend does not implement the method"
	default:
		return "the request failed; the log has the cause"
	}
}

func reasonWords() map[reqinfo.Reason]string {
	return map[reqinfo.Reason]string{
		reqinfo.ReasonNoCredential:         "a credential is needed, and there was none",
		reqinfo.ReasonInvalidCredential:    "the credential is not valid",
		reqinfo.ReasonUnverifiedCredential: "the credential cannot be verified: there are no keys of its issuer yet",
		reqinfo.ReasonClientCertificate:    "the client certificate is not valid any more",
		reqinfo.ReasonScope:                "the caller does not have a scope that is required",
		reqinfo.ReasonRole:                 "the caller does not have a role that is required",
		reqinfo.ReasonOwner:                "the caller is not the owner",
		reqinfo.ReasonCondition:            "the caller does not meet the condition of the access policy",
		reqinfo.ReasonRateLimit:            "the rate limit is reached",
		reqinfo.ReasonRateLimitStore:       "Redis cannot tell whether the limit is reached, which is closed on an outage",
		reqinfo.ReasonMaxInFlight:          "too many requests are in flight (overload.max_in_flight)",
		reqinfo.ReasonMaxStreams:           "too many streams are open (overload.max_streams)",
		reqinfo.ReasonCPU:                  "work waits too long for a CPU (overload.target_delay)",
		reqinfo.ReasonAbortedRequests:      "the connection has aborted too many requests",
		reqinfo.ReasonNoRoute:              "no route has the path",
		reqinfo.ReasonMethod:               "no route has the path with this method",
		reqinfo.ReasonInvalidRequest:       "the request does not fit the schema or its rules",
		reqinfo.ReasonBodyTooLarge:         "the body is too large",
		reqinfo.ReasonMediaType:            "the media type of the body is not accepted",
		reqinfo.ReasonNotAcceptable:        "the client accepts no media type that there is",
		reqinfo.ReasonIdempotencyKey:       "the idempotency key is missing, not valid, or was used for another request",
		reqinfo.ReasonIdempotencyPending:   "the first request with the key is not over, or its response was not stored",
		reqinfo.ReasonIdempotencyStore:     "the store cannot tell whether the idempotency key was used",
		reqinfo.ReasonOnlyIfCached:         "the client wants a cached response, and there is none",
		reqinfo.ReasonBreaker:              "a circuit breaker is open",
		reqinfo.ReasonDeadline:             "the response did not come in time",
		reqinfo.ReasonConcurrency:          "as many calls are in flight as the backend can handle",
	}
}
