//go:build !race

package bff_test

// slowdown is none.
const slowdown = 1
