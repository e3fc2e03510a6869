// Package leg is how composites call backends: the calls that they make for a response, its legs, pass through layers of their own
// before they reach the connection to the upstream. From the outside in, Conn has:
//
//	Probing   finds out which legs there are, without making them
//	Guard     the policy of the called method: access, condition, rules, limits, timeout
//	Shared    replies that several callers get, as the cache policy of the method says
//
// Retries, breakers and balancing are those of the connection.
package leg

import (
	"slices"

	"github.com/fullstorydev/grpchan"
	"google.golang.org/grpc"
)

// Conn returns a connection whose calls pass through the interceptors, the first of which is the outermost.
func Conn(
	conn grpc.ClientConnInterface, unary []grpc.UnaryClientInterceptor, stream []grpc.StreamClientInterceptor,
) grpc.ClientConnInterface {
	for _, interceptor := range slices.Backward(unary) {
		conn = grpchan.InterceptClientConn(conn, interceptor, nil)
	}

	for _, interceptor := range slices.Backward(stream) {
		conn = grpchan.InterceptClientConn(conn, nil, interceptor)
	}

	return conn
}
