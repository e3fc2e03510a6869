package upstream

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// CallResult is a call that has ended, with all its attempts, or that was refused.
type CallResult struct {
	Upstream string
	// RPC is the full method, "/user.v1.UserService/GetUser".
	RPC  string
	Code codes.Code
	Took time.Duration
	// Retries is how many attempts were sent after the first one.
	Retries int
	// Hedge is what became of a second call.
	Hedge Hedge
	// TraceID is that of the request. Empty: its spans are not recorded.
	TraceID string
}

// Hedge is what became of the second call that a method's policy wants when there is no reply in time.
type Hedge string

const (
	// NotHedged means that there was a reply in time, or the policy wants no second call.
	NotHedged Hedge = ""
	// HedgeWon means that its reply was used.
	HedgeWon Hedge = "won"
	// HedgeLost means that the reply of the first call was used, or neither had one.
	HedgeLost Hedge = "lost"
	// HedgeNoBudget means that it was not made, because there were too many retries and hedges.
	HedgeNoBudget Hedge = "no_budget"
)

// refused counts a call that is not made because of the error. A client that has left is not refused anything.
func (u *upstream) refused(observer Observer, rpc string, err error) {
	switch {
	case errors.Is(err, context.Canceled):
	case errors.Is(err, context.DeadlineExceeded):
		observer.ObserveRefusedCall(u.name, rpc, reqinfo.ReasonDeadline)
	case errors.Is(err, u.overloaded):
		observer.ObserveRefusedCall(u.name, rpc, reqinfo.ReasonConcurrency)
	default:
		observer.ObserveRefusedCall(u.name, rpc, reqinfo.ReasonBreaker)
	}
}
