//go:build race

package bff_test

// slowdown is what the race detector costs, so that loads which real time is compared with can be smaller under it.
const slowdown = 4
