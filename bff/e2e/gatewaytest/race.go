//go:build race

package gatewaytest

// Slowdown is what the race detector costs, so that loads which real time is compared with can be smaller under it.
const Slowdown = 4
