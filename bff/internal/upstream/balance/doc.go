// Package balance decides which address of a backend a call goes to. It is a load balancing policy of gRPC that wraps one of gRPC's
// own (round robin, least request, weighted round robin, ring hash), which chooses among the addresses that this one leaves to it:
//
//   - An address whose calls fail again and again is left out for a while (ejection).
//   - An address that is connected but does not answer at all, such as a process that was stopped, loses its connection, so that
//     calls do not wait for it (probe).
//
// Whether a backend says that it is SERVING is none of its business: gRPC's client-side health checks (gRFC A17) see to that.
// Neither are calls made again, nor limits on them.
//
// gRPC's own outlier_detection_experimental (gRFC A50) does not serve a gateway. It counts every status but OK as a failure of the
// address (incrementCounter in balancer.go of grpc 1.85), also NOT_FOUND and INVALID_ARGUMENT: clients could have healthy backends
// left out. It needs calls that end, so it does not notice a stopped process, whose kernel goes on accepting connections and
// acknowledging bytes; and gRPC's keepalive, which would, waits 10 seconds at least.
package balance
