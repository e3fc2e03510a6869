//go:build !race

package gatewaytest

// Slowdown is none.
const Slowdown = 1
