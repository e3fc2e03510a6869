package reqinfo

import (
	"slices"
	"time"

	"google.golang.org/grpc/codes"
)

// Call is a call to a backend that has ended.
type Call struct {
	Upstream string
	// RPC is the full method, "/user.v1.UserService/GetUser".
	RPC   string
	Start time.Time
	Took  time.Duration
	// Code is the result.
	Code codes.Code
	// Attempts is how many were made, and Address where the last of them went. Zero and empty: there was no address to call, or a
	// control plane chose it.
	Attempts int
	Address  string
}

// What is stored of calls and missing parts: a composite may have many legs, and a stream may miss a part with every message.
const (
	maxCalls   = 32
	maxMissing = 32
	// fewLegs is how many legs most composites have.
	fewLegs = 7
)

// AddCall adds a call. Only the first maxCalls are listed.
func (r *Record) AddCall(call Call) {
	r.mu.Lock()
	defer r.mu.Unlock()

	switch len(r.calls) {
	case 0:
		r.calls = r.callRoom[:0]
	case len(r.callRoom):
		r.calls = slices.Grow(r.calls, fewLegs)
	}

	if len(r.calls) < maxCalls {
		r.calls = append(r.calls, call)
	}

	r.made.Calls++
	r.made.Attempts += call.Attempts

	if r.made.Calls == 1 || r.made.code == codes.OK && call.Code != codes.OK {
		r.made.Address, r.made.code = call.Address, call.Code
	}
}

// Calls lists the calls in the order in which they ended.
func (r *Record) Calls() []Call { return snapshot(&r.mu, &r.calls) }

// Made is what is logged of all calls of a request.
type Made struct {
	// Calls is how many there were, and Attempts how many were made at them.
	Calls, Attempts int
	// Address is where the first call that failed went. If there was one call alone, it is where that went.
	Address string

	code codes.Code
}

// Made returns what is logged of all calls.
func (r *Record) Made() Made {
	r.mu.Lock()
	defer r.mu.Unlock()

	made := r.made
	if made.Calls > 1 && made.code == codes.OK {
		made.Address = ""
	}

	return made
}
