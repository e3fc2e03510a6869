package bff

import (
	"net/http"
	"slices"
	"strconv"
)

// WithMiddleware puts middleware around all that clients can reach, routes and pages: for tracing, headers of your own, a
// maintenance mode. It runs with Run and with ServeHTTP; the first is the outermost. From the outside in:
//
//	request id, access log and metrics, client address, security headers, CORS, size of the body
//	→ middleware
//	→ limit per client, credentials → pages, or the route with its policy → backend
//
// So its responses are logged and counted, and pages of allowed origins can read it. The route and the caller are not known
// before it calls next; afterwards RequestInfoFrom has them. It does not see CORS preflights. What it does to the request counts
// as sent by the client: headers, also credentials, and the path, which is the one that is routed.
//
//   - The request that it passes on must have the context that it got, or one made from it; otherwise the response is 500.
//   - A ResponseWriter of its own needs Unwrap (see http.ResponseController). Without it streams arrive late, and deadlines and
//     limits for slow readers do not hold.
//   - It must call next at most once; a second time results in 500.
//   - It must not return before next has returned, as http.TimeoutHandler does; timeouts are set by policies.
//   - A panic is logged and results in 500.
//
// Without it there is nothing at that place. Use a policy where one will do: middleware has no effect on the description of the
// API, and portico explain does not run it.
func WithMiddleware(middleware ...func(http.Handler) http.Handler) Option {
	return func(o *options) {
		o.faults.needEach("WithMiddleware", len(o.middleware), middleware)
		o.middleware = append(o.middleware, middleware...)
	}
}

// wrapped returns the middleware of an option as one; nil if there is none. What is wrong with the handlers that it makes is added
// to faults.
func wrapped(option string, middleware []func(http.Handler) http.Handler, faults *optionFaults) func(http.Handler) http.Handler {
	if len(middleware) == 0 {
		return nil
	}

	return func(next http.Handler) http.Handler {
		for i, m := range slices.Backward(middleware) {
			next = m(next)

			faults.need(option, "the handler made by middleware "+strconv.Itoa(i+1), next)
		}

		return next
	}
}
