//go:build race

package wirejson_test

const raceDetector = true
