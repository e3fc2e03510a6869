package idempotency

import (
	"context"
	"errors"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
)

// Store remembers which keys were used, and the answers. Several gateways may share one. Its methods are safe for concurrent use
// and may block; they end with the context. An error means that nothing is known about the key.
//
// A claim is held by its owner for its lease. When the lease is over, its holder is taken for dead and the key is free. A holder
// that lives after all can neither overwrite nor release the claim of another.
type Store interface {
	// Claim takes the key if it is free, and otherwise returns what became of it. The answer comes with Done and is not to be
	// changed. It returns ErrFull if there is no room for a claim.
	Claim(ctx context.Context, claim Claim) (State, Answer, error)
	// Finish keeps the answer, which is not to be changed any more, under the key for the time of ttl. It does so too if the
	// lease is over, as long as nobody else has the key; if somebody has, it returns ErrLost. It returns ErrFull if there is no
	// room for the answer; the claim stays then.
	Finish(ctx context.Context, claim Claim, answer Answer, ttl time.Duration) error
	// Release frees the key if the owner still holds it, unfinished. It is no error if not.
	Release(ctx context.Context, claim Claim) error
}

var (
	// ErrFull reports that a store has no room.
	ErrFull = errors.New("the store of idempotency keys is full")
	// ErrLost reports that somebody else has the key, because the lease was over.
	ErrLost = errors.New("the lease of the idempotency key was over, and another request has taken it")
)

// Claim is the wish to be the one who carries out the request with a key.
type Claim struct {
	// Key names caller, RPC and key, as a hash in base64url.
	Key string
	// Fingerprint names the request, as a hash in base64url.
	Fingerprint string
	// Owner is the holder's secret, different for each claim.
	Owner string
	// Lease is how long the claim holds.
	Lease time.Duration
}

// State is what a store says about a key.
type State int

const (
	// Claimed means that the key was free and is the caller's now.
	Claimed State = iota + 1
	// InProgress means that another holds it.
	InProgress
	// Done means that there is an answer.
	Done
	// Mismatch means that the key is held by, or has the answer of, a request with another fingerprint.
	Mismatch
)

// Answer is what a request was answered with.
type Answer struct {
	// Status is the HTTP status.
	Status int
	// Code is the gRPC code behind it.
	Code codes.Code
	// Header is what the handler itself set.
	Header http.Header
	Body   []byte
	// Omitted reports that Header and Body are missing because they were too large to be kept.
	Omitted bool
}
