package reqinfo

// Reason says in one word why the gateway refused a request itself, for the log and the metrics.
type Reason string

// All reasons there are.
const (
	// ReasonNoCredential: the route needs a caller, and nobody was named.
	ReasonNoCredential Reason = "no_credential" //nolint:gosec // It is none.
	// ReasonInvalidCredential: the token, key or other credential is not valid.
	ReasonInvalidCredential Reason = "invalid_credential" //nolint:gosec // It is none.
	// ReasonUnverifiedCredential: it could not be verified, because keys or a verifier are missing.
	ReasonUnverifiedCredential Reason = "unverified_credential" //nolint:gosec // It is none.
	// ReasonSessionEnded: the session of the browser has ended.
	ReasonSessionEnded Reason = "session_ended"
	// ReasonCrossOrigin: with a session, the request would change something, and may come from a page of another origin.
	ReasonCrossOrigin Reason = "cross_origin"
	// ReasonClientCertificate: the certificate of the connection is not valid any more.
	ReasonClientCertificate Reason = "client_certificate"
	// ReasonScope, ReasonRole, ReasonOwner and ReasonCondition are the requirements of access policies.
	ReasonScope     Reason = "scope"
	ReasonRole      Reason = "role"
	ReasonOwner     Reason = "owner"
	ReasonCondition Reason = "condition"
	// ReasonRateLimit: the limit that is named beside it is reached.
	ReasonRateLimit Reason = "rate_limit"
	// ReasonRateLimitStore: Redis does not tell, and the limit is closed on an outage.
	ReasonRateLimitStore Reason = "rate_limit_store"
	// ReasonMaxInFlight and ReasonMaxStreams are the settings of overload with these names.
	ReasonMaxInFlight Reason = "max_in_flight"
	ReasonMaxStreams  Reason = "max_streams"
	// ReasonAbortedRequests: the connection has aborted too many.
	ReasonAbortedRequests Reason = "aborted_requests"
	// ReasonNoRoute and ReasonMethod: no route has the path, or none has it with this method.
	ReasonNoRoute Reason = "no_route"
	ReasonMethod  Reason = "method"
	// ReasonInvalidRequest: path, query, headers or body do not fit the schema or its rules.
	ReasonInvalidRequest Reason = "invalid_request"
	// ReasonBodyTooLarge, ReasonMediaType and ReasonNotAcceptable are 413, 415 and 406.
	ReasonBodyTooLarge  Reason = "body_too_large"
	ReasonMediaType     Reason = "media_type"
	ReasonNotAcceptable Reason = "not_acceptable"
	// ReasonIdempotencyKey: it is missing, not valid, or was used for another request.
	ReasonIdempotencyKey Reason = "idempotency_key"
	// ReasonIdempotencyPending: the first request with the key is still being served, or its response was not stored.
	ReasonIdempotencyPending Reason = "idempotency_pending"
	// ReasonIdempotencyStore: the store does not tell whether the key was used.
	ReasonIdempotencyStore Reason = "idempotency_store"
	// ReasonOnlyIfCached: the client asked for a stored response alone, and there is none.
	ReasonOnlyIfCached Reason = "only_if_cached"
	// ReasonBreaker: a circuit breaker is open.
	ReasonBreaker Reason = "breaker"
	// ReasonDeadline: the deadline of the request has passed.
	ReasonDeadline Reason = "deadline"
	// ReasonCPU: work waits too long for a CPU; see overload.target_delay.
	ReasonCPU Reason = "cpu"
	// ReasonConcurrency: as many calls are in flight as the backend can handle.
	ReasonConcurrency Reason = "concurrency"
)

// Refusal is why the gateway refused a request itself. The zero value: it did not.
type Refusal struct {
	Reason Reason
	// Limit is the name of the rate limit that was reached.
	Limit string
}

// Refuse sets why the request is refused. The first refusal stays.
func (r *Record) Refuse(refusal Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if r.refusal.Reason == "" {
		r.refusal = refusal
	}
}

// Refusal returns why the request was refused.
func (r *Record) Refusal() Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.refusal
}
