// Package idempotency executes a write that is sent again only once: requests with the same Idempotency-Key get the response to the
// first (draft-ietf-httpapi-idempotency-key-header-07). A Deduplicator does that for routes, over a Store of keys and responses.
//
// It does not know which routes use it (policy does). It cannot know the outcome of a request to which a backend never replied;
// only the backend can.
package idempotency

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Header is the field by which a client identifies a request ("Syntax" of the draft).
const Header = "Idempotency-Key"

// headerReplayed marks a response that was sent before.
const headerReplayed = "Idempotency-Replayed"

const (
	// A claim outlasts the deadline of its request by leaseGrace: the response still has to be written and stored.
	leaseGrace = 10 * time.Second
	// defaultLease is for requests without a deadline.
	defaultLease = time.Minute
	// storeTimeout bounds a call of the store, well within leaseGrace.
	storeTimeout = 3 * time.Second
	// retryAfter is a guess at when a request will have ended, or a store be available again.
	retryAfter = time.Second
)

// Deduplicator executes each request with a key once. It is safe for concurrent use, and must be closed.
type Deduplicator struct {
	// Observe is called with the outcome of each request that has a key. It must be safe for concurrent use and not block, and be
	// set before the first request. Nil: nobody counts.
	Observe func(rpc string, outcome Outcome)

	store Store
	later *later
}

// Outcome is what becomes of a request that has a key.
type Outcome string

// The outcomes of a request: it is executed; gets the stored response; is refused, because the first one is in progress, was
// another request, or has a response that is too large to be stored; or is refused because the store failed.
const (
	OutcomeExecuted     Outcome = "executed"
	OutcomeReplayed     Outcome = "replayed"
	OutcomeInProgress   Outcome = "in_progress"
	OutcomeMismatched   Outcome = "mismatch"
	OutcomeUnrepeatable Outcome = "unrepeatable"
	OutcomeStoreFailed  Outcome = "store_error"
)

// New returns a Deduplicator over the store.
func New(store Store) *Deduplicator { return &Deduplicator{store: store, later: newLater(store)} }

// Close ends what runs in the background. The store stays open.
func (d *Deduplicator) Close() { d.later.close() }

// Rule is how requests to a route are deduplicated.
type Rule struct {
	// RPC is the full method of the route.
	RPC string
	// Required refuses requests without a key.
	Required bool
	// ReadOnly reports that requests have no side effects. Partial responses to them are not stored: nothing is done twice by
	// making a complete one. After a write, they are what came of it, and say what is missing each time.
	ReadOnly bool
	// TTL is how long responses are stored.
	TTL time.Duration
	// Headers are the names of headers that are bound to fields of the request message.
	Headers []string
	// Accept returns what is relevant of an Accept header. Nil: nothing is.
	Accept func(values []string) string
}

// Route deduplicates requests to a route. A request without a key passes, unless one is required.
//
// It belongs behind everything that refuses a request: the caller is known by then and may call. The deadline is set outside of it,
// and the handler runs until then even if the client leaves, so that the response is there when the client tries again.
func (d *Deduplicator) Route(rule Rule) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			lines := r.Header.Values(Header)
			if len(lines) == 0 && !rule.Required {
				next.ServeHTTP(w, r)
				return
			}

			key, err := parseKey(lines)
			if err != nil {
				problem.Write(w, r, invalidKey(lines, err), nil)
				return
			}

			d.serve(w, r, operation{rule: rule, key: key, next: next})
		})
	}
}

type operation struct {
	rule Rule
	key  string
	next http.Handler
}

// serve executes the operation, or responds with its outcome.
func (d *Deduplicator) serve(w http.ResponseWriter, r *http.Request, op operation) {
	body, ok := problem.ReadBody(w, r)
	if !ok {
		return
	}

	ctx, cancel := detached(r.Context())
	defer cancel()

	r = r.WithContext(ctx)

	claim := Claim{
		Key: scoped(reqinfo.From(ctx), op.rule.RPC, op.key), Fingerprint: op.rule.fingerprint(r, body),
		Owner: rand.Text(), Lease: lease(ctx),
	}

	state, stored, err := d.claim(ctx, claim)
	outcome := outcomeOf(state, stored, err)

	if d.Observe != nil {
		d.Observe(op.rule.RPC, outcome)
	}

	switch outcome {
	case OutcomeStoreFailed:
		problem.Write(w, r, unavailable(), fmt.Errorf("claim idempotency key: %w", err))
	case OutcomeExecuted:
		d.execute(w, r, claim, op)
	case OutcomeMismatched:
		problem.Write(w, r, otherRequest(), nil)
	case OutcomeUnrepeatable:
		problem.Write(w, r, unrepeatable(stored), nil)
	case OutcomeReplayed:
		replay(w, r, stored)
	default:
		problem.Write(w, r, inProgress(), nil)
	}
}

func outcomeOf(state State, stored Response, err error) Outcome {
	switch {
	case err != nil:
		return OutcomeStoreFailed
	case state == Claimed:
		return OutcomeExecuted
	case state == Mismatch:
		return OutcomeMismatched
	case state == Done && stored.Omitted:
		return OutcomeUnrepeatable
	case state == Done:
		return OutcomeReplayed
	default:
		return OutcomeInProgress
	}
}

// execute executes the request and stores the response.
func (d *Deduplicator) execute(w http.ResponseWriter, r *http.Request, claim Claim, op operation) {
	rec := newRecorder(w)
	returned := false

	// A panic is passed on.
	defer func() {
		if !returned {
			d.release(r.Context(), claim)
		}
	}()

	op.next.ServeHTTP(rec, r)

	returned = true

	record := reqinfo.From(r.Context())
	code, _ := record.Outcome()

	if res := rec.finish(code); storable(res.Status) && (!op.rule.ReadOnly || !record.Partial()) {
		d.finish(r.Context(), claim, res, op.rule.TTL)
	} else {
		d.release(r.Context(), claim)
	}
}

func (d *Deduplicator) claim(ctx context.Context, claim Claim) (State, Response, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()

	state, stored, err := d.store.Claim(ctx, claim)
	if err != nil && !errors.Is(err, ErrFull) {
		d.later.release(claim)
	}

	return state, stored, err
}

// finish stores the response, or, if there is no room for it, only that there was one. The client has it already; an error is for
// the log alone, the lease prevents a repetition for a while, and meanwhile the store is asked again.
func (d *Deduplicator) finish(ctx context.Context, claim Claim, res Response, ttl time.Duration) {
	storeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()

	err := d.store.Finish(storeCtx, claim, res, ttl)
	if errors.Is(err, ErrFull) && !res.Omitted {
		err = d.store.Finish(storeCtx, claim, omitted(res), ttl)
	}

	if err != nil {
		if !errors.Is(err, ErrLost) {
			d.later.finish(claim, res, ttl)
		}

		reqinfo.From(ctx).Fail(res.Code, fmt.Errorf("store response under idempotency key: %w", err))
	}
}

// release frees the key. If that fails, the store is asked again until the end of the lease, when it becomes free.
func (d *Deduplicator) release(ctx context.Context, claim Claim) {
	storeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()

	if err := d.store.Release(storeCtx, claim); err != nil {
		d.later.release(claim)

		rec := reqinfo.From(ctx)
		code, _ := rec.Outcome()
		rec.Fail(code, fmt.Errorf("release idempotency key: %w", err))
	}
}

// detached returns a context with the same deadline that does not end when the client leaves.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithoutCancel(ctx), func() {}
	}

	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}

// lease is how long the request may take.
func lease(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return defaultLease
	}

	return max(time.Until(deadline), 0) + leaseGrace
}
