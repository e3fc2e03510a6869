//go:build !race

package protojson_test

const raceDetector = false
