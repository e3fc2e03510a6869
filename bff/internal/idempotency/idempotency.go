// Package idempotency makes a write that is sent again happen once: requests that bear the same Idempotency-Key get the answer of
// the first (draft-ietf-httpapi-idempotency-key-header-07). A Keeper does it for routes, over a Store that remembers.
//
// It does not know which routes want it (policy does). It cannot say what became of a request that a backend left without an
// answer; only the backend can.
package idempotency

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Header is the field by which a client names a request ("Syntax" of the draft).
const Header = "Idempotency-Key"

// headerReplayed reports that an answer was given before.
const headerReplayed = "Idempotency-Replayed"

const (
	// A claim outlasts the deadline of its request by leaseGrace: the answer still has to be written and stored.
	leaseGrace = 10 * time.Second
	// defaultLease is for requests without a deadline.
	defaultLease = time.Minute
	// storeTimeout bounds a call of the store, well within leaseGrace.
	storeTimeout = 3 * time.Second
	// retryAfter is a guess at when a request will be through, or a store back.
	retryAfter = time.Second
)

// Keeper sees to it that a request is carried out once. It is safe for concurrent use, and must be closed.
type Keeper struct {
	store Store
	undo  *undo
}

// New returns a Keeper over the store.
func New(store Store) *Keeper { return &Keeper{store: store, undo: newUndo(store)} }

// Close ends what goes on in the background. The store is closed by who made it.
func (k *Keeper) Close() { k.undo.close() }

// Rule is how the answers of a route are kept.
type Rule struct {
	// RPC is the full method of the route.
	RPC string
	// Required refuses requests without a key.
	Required bool
	// TTL is how long answers are kept.
	TTL time.Duration
	// Headers are the names of those that set fields of the request message.
	Headers []string
	// Accept is what makes a difference of an Accept header. Nil: nothing does.
	Accept func(values []string) string
}

// Route keeps the answers of a route. A request without a key passes, unless one is required.
//
// It belongs behind everything that refuses a request: the caller is known by then and may call. The deadline is set outside of it,
// and the handler works until then even if the client leaves, so that the answer is there when the client comes back.
func (k *Keeper) Route(rule Rule) func(http.Handler) http.Handler {
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

			k.once(w, r, operation{rule: rule, key: key, next: next})
		})
	}
}

// operation is a request with a key.
type operation struct {
	rule Rule
	key  string
	next http.Handler
}

// readBody returns the body of the request, which can be read again after that.
func readBody(r *http.Request) ([]byte, error) {
	if body, ok := r.Body.(interface{ Bytes() ([]byte, error) }); ok {
		return body.Bytes()
	}

	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))

	return body, err
}

// once carries the operation out, or says what became of it.
func (k *Keeper) once(w http.ResponseWriter, r *http.Request, op operation) {
	body, err := readBody(r)
	if err != nil {
		rec := reqinfo.From(r.Context())
		problem.Write(w, r, problem.Unread(r.Context(), err, rec.BodyExceeded, rec.BodyLimit), err)

		return
	}

	ctx, cancel := detached(r.Context())
	defer cancel()

	r = r.WithContext(ctx)

	claim := Claim{
		Key: scoped(reqinfo.From(ctx), op.rule.RPC, op.key), Fingerprint: op.rule.fingerprint(r, body),
		Owner: rand.Text(), Lease: lease(ctx),
	}

	state, answer, err := k.claim(ctx, claim)

	switch {
	case err != nil:
		problem.Write(w, r, unavailable(), fmt.Errorf("claim idempotency key: %w", err))
	case state == Claimed:
		k.first(w, r, claim, op)
	case state == Mismatch:
		problem.Write(w, r, otherRequest(), nil)
	case state == Done && answer.Omitted:
		problem.Write(w, r, unrepeatable(answer), nil)
	case state == Done:
		replay(w, r, answer)
	default:
		problem.Write(w, r, inProgress(), nil)
	}
}

// first carries out the request and keeps its answer.
func (k *Keeper) first(w http.ResponseWriter, r *http.Request, claim Claim, op operation) {
	rec := newRecorder(w)
	returned := false

	// A panic goes on its way.
	defer func() {
		if !returned {
			k.release(r.Context(), claim)
		}
	}()

	op.next.ServeHTTP(rec, r)

	returned = true

	code, _ := reqinfo.From(r.Context()).Outcome()
	if answer := rec.finish(code); storable(answer.Status) {
		k.finish(r.Context(), claim, answer, op.rule.TTL)
	} else {
		k.release(r.Context(), claim)
	}
}

func (k *Keeper) claim(ctx context.Context, claim Claim) (State, Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()

	state, answer, err := k.store.Claim(ctx, claim)
	if err != nil && !errors.Is(err, ErrFull) {
		k.undo.release(claim)
	}

	return state, answer, err
}

// finish keeps the answer, or, where there is no room for it, that there was one. The client has it already; if it cannot be
// kept, only the log can be told, and the lease holds off a repetition for a while.
func (k *Keeper) finish(ctx context.Context, claim Claim, answer Answer, ttl time.Duration) {
	storeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()

	err := k.store.Finish(storeCtx, claim, answer, ttl)
	if errors.Is(err, ErrFull) && !answer.Omitted {
		err = k.store.Finish(storeCtx, claim, omitted(answer), ttl)
	}

	if err != nil {
		reqinfo.From(ctx).Fail(answer.Code, fmt.Errorf("keep answer under idempotency key: %w", err))
	}
}

// release frees the key. If that does not work, the end of the lease does.
func (k *Keeper) release(ctx context.Context, claim Claim) {
	storeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()

	if err := k.store.Release(storeCtx, claim); err != nil {
		rec := reqinfo.From(ctx)
		code, _ := rec.Outcome()
		rec.Fail(code, fmt.Errorf("release idempotency key: %w", err))
	}
}

// detached has the deadline of a context, but does not end when the client leaves.
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
