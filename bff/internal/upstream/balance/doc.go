// Package balance decides which address of a backend a call goes to. It is a load balancing policy of gRPC that wraps one of gRPC's
// own (round robin, least request, weighted round robin, ring hash), which chooses among the addresses that are not excluded:
//
//   - An address whose calls fail repeatedly, or that is the only one that replies with errors, is excluded for a while (ejection).
//   - An address that is connected but unresponsive, such as a stopped process, loses its connection, so that calls do not wait for
//     it (probe).
//
// Another attempt at a call prefers another address.
//
// gRPC's client-side health checks (gRFC A17) evaluate whether a backend is SERVING. Retries and limits are not part of this
// package.
//
// gRPC's own outlier_detection_experimental (gRFC A50) does not suit a gateway. It counts every status but OK as a failure of the
// address (incrementCounter in balancer.go of grpc 1.85), even NOT_FOUND and INVALID_ARGUMENT: clients could have healthy backends
// ejected. It needs calls that end, so it does not detect a stopped process, whose kernel still accepts connections and
// acknowledges bytes; gRPC's keepalive, which would, waits at least 10 seconds.
package balance
