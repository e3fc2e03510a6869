package idempotency

import (
	"context"
	"errors"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
)

// Store has the keys that were used, and the responses. Several gateways may share one. Its methods are safe for concurrent use and
// may block; they end with the context. An error means that nothing is known about the key.
//
// A claim is held by its owner for its lease. When the lease is over, the key is free. An owner that is late can neither overwrite
// nor release the claim of another.
type Store interface {
	// Claim claims the key if it is free, and otherwise returns its state. The response is that of Done, and must not be changed.
	// It returns ErrFull if there is no room for a claim.
	Claim(ctx context.Context, claim Claim) (State, Response, error)
	// Finish stores the response, which must not be changed any more, under the key for the time of ttl, even if the lease is over.
	// It returns ErrLost if another owner has the key, and ErrFull if there is no room for the response; the claim stays then.
	Finish(ctx context.Context, claim Claim, res Response, ttl time.Duration) error
	// Release frees the key if the owner still holds it and has not finished. It is no error if not.
	Release(ctx context.Context, claim Claim) error
}

var (
	// ErrFull reports that a store has no room.
	ErrFull = errors.New("the store of idempotency keys is full")
	// ErrLost reports that another owner has the key, because the lease was over.
	ErrLost = errors.New("the lease of the idempotency key was over, and another request has claimed it")
)

// Claim is a request to be the only one that is executed with a key.
type Claim struct {
	// Key identifies caller, RPC and key, as a hash in base64url.
	Key string
	// Fingerprint identifies the request, as a hash in base64url.
	Fingerprint string
	// Owner is a secret, different for each claim.
	Owner string
	// Lease is how long the claim is valid.
	Lease time.Duration
}

// State is the state of a key.
type State int

const (
	// Claimed means that the key was free, and is claimed now.
	Claimed State = iota + 1
	// InProgress means that another claim holds it.
	InProgress
	// Done means that there is a response.
	Done
	// Mismatch means that the key belongs to a request with another fingerprint.
	Mismatch
)

// Response is the response to a request.
type Response struct {
	// Status is the HTTP status.
	Status int
	// Code is the gRPC code behind it.
	Code codes.Code
	// Header is what the handler itself set.
	Header http.Header
	Body   []byte
	// Omitted reports that Header and Body are missing because they were too large to be stored.
	Omitted bool
}
