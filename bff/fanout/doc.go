// Package fanout runs the legs of a composite at the same time, each within the time that is left of the request.
//
// It puts on errgroup what a composite would otherwise write again each time: a required branch that fails cancels the others, an
// optional one is reported and the response is sent without it, every branch has a deadline that leaves time to respond, and a
// panic in a branch is that branch's error instead of the end of the process.
//
// It is not a job queue: a call waits for all of its branches, nothing runs on after it, and nothing is tried twice (retries belong
// to the upstream connection, which knows what may be repeated).
package fanout
